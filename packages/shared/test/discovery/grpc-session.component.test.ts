import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { Http2SecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Server, TLSSocket } from 'node:tls';
import { Code, ConnectError } from '@connectrpc/connect';
import { expect } from 'chai';
import { afterEach, before, beforeEach, describe, it } from 'mocha';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import { GrpcSession } from '../../src/discovery/grpc-session.ts';

const forever = new AbortController().signal;

describe('GrpcSession', () => {
  let authority: TestAuthority;
  let certificate: { readonly cert: string; readonly key: string };
  let open: AsyncDisposableStack;
  let clock: FakeClock;

  before(async () => {
    authority = await TestAuthority.create();
    const { certPem: cert, keyPem: key } = await authority.issue({ dnsNames: ['control-plane.test'], ips: ['127.0.0.1'] });
    certificate = { cert, key };
  });

  beforeEach(() => {
    open = new AsyncDisposableStack();
    clock = new FakeClock();
  });

  afterEach(() => open.disposeAsync());

  async function listen<S extends Server | Http2SecureServer>(server: S): Promise<S> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    open.defer(() => void server.close());
    return server;
  }

  function connect(server: Server | Http2SecureServer, signal: AbortSignal = forever): Promise<GrpcSession> {
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return GrpcSession.open({ url, root: authority.rootPem }, { clock }, signal);
  }

  it('asks for pings only when nothing was heard for 30 s, and stays when they are answered', async () => {
    const server = await listen(createSecureServer(certificate));
    const pings: number[] = [];
    server.on('session', (session) => session.on('ping', () => pings.push(clock.monotonicMs())));
    const session = open.use(await connect(server));
    clock.advance(20_000);
    session.notifyResponseByteRead();
    clock.advance(29_999);
    expect(clock.nextTimerMs).to.equal(1);
    clock.advance(1);
    expect(clock.nextTimerMs).to.equal(10_000);
    for (let waited = 0; clock.nextTimerMs !== 30_000 && waited < 3_000; waited += 5)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect([pings, clock.nextTimerMs]).to.deep.equal([[50_000], 30_000]);
  });

  it('gives up a peer that does not answer a ping within 10 s', async () => {
    const sockets: TLSSocket[] = [];
    const silent = await listen(
      createTlsServer({ ...certificate, ALPNProtocols: ['h2'] }, (socket) => void sockets.push(socket.on('error', () => {}))),
    );
    const session = open.use(await connect(silent));
    const stream = await session.request('POST', '/x', {}, {});
    clock.advance(40_000);
    const closed = once(stream, 'close', { signal: AbortSignal.timeout(3_000) }).catch((error: unknown) => error);
    await closed;
    expect([stream.destroyed, clock.pendingTimers]).to.deep.equal([true, 0]);
    for (const socket of sockets) socket.destroy();
  });

  it('lets go of the socket and its timers when it is aborted while connecting', async () => {
    const silent = await listen(createTlsServer(certificate));
    const controller = new AbortController();
    const connecting = connect(silent, controller.signal);
    controller.abort(new Error('stopped'));
    const error = await connecting.catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(Error).with.property('message', 'stopped');
    expect(clock.pendingTimers).to.equal(0);
  });

  it('refuses a server without HTTP/2', async () => {
    const server = await listen(createTlsServer({ ...certificate, ALPNProtocols: ['http/1.1'] }));
    const error = await connect(server).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(Error);
    expect(clock.pendingTimers).to.equal(0);
  });

  it('fails a request after it is gone', async () => {
    const server = await listen(createSecureServer(certificate));
    const session = await connect(server);
    session[Symbol.dispose]();
    const error = await session.request('POST', '/x', {}, {}).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(ConnectError).with.property('code', Code.Unavailable);
    expect(clock.pendingTimers).to.equal(0);
  });
});
