import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { CurrentRoot } from '../../src/certify/current-root.ts';
import { createRoot, readRoot } from '@clearmesh/shared/certify/root-authority';
import { ServerCertificate } from '../../src/certify/server-certificate.ts';
import type { GrpcHandler } from '../../src/listen/grpc-handler.ts';
import { SecureServer } from '../../src/listen/secure-server.ts';
import type { SecureServerOptions } from '../../src/listen/secure-server.ts';

const hour = 3_600_000;
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const emptySettings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

type Served = { readonly server: SecureServer; readonly certificate: ServerCertificate };

const answerAll: GrpcHandler = (_request, response) => void response.writeHead(204).end();

type Changes = Partial<SecureServerOptions> & { readonly handler?: GrpcHandler };

async function serve(clock: FakeClock, { handler = answerAll, ...options }: Changes = {}): Promise<Served> {
  const pem = await createRoot({ trustDomain: 'cluster.local', nowMs: clock.now() });
  const root = new CurrentRoot(readRoot(pem, clock.now()));
  const deps = { root, clock, logger: silentLogger };
  const certificate = await ServerCertificate.issue({ names: [{ type: 'dns', value: 'localhost' }] }, deps);
  const server = await SecureServer.listen(
    { listen: { ip: parseIp('127.0.0.1')!, port: 0 }, ...options },
    {
      credentials: certificate.credentials,
      handler,
      clock,
      logger: silentLogger,
    },
    AbortSignal.timeout(5000),
  );
  return { server, certificate };
}

async function dial(server: SecureServer): Promise<TLSSocket> {
  const socket = connect({ port: server.address.port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  await once(socket, 'secureConnect', { signal: AbortSignal.timeout(5000) });
  socket.on('error', () => {});
  socket.resume();
  return socket;
}

async function serialNumber(server: SecureServer): Promise<string> {
  const socket = await dial(server);
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

describe('the server certificate', () => {
  it('is renewed at half of its life, and new connections see the new one', async () => {
    const clock = new FakeClock();
    const { server, certificate } = await serve(clock);
    await using _closed = server;
    using _cancelled = certificate;
    const renewed = new Promise<void>((resolve) => {
      certificate.onRenewed((credentials) => {
        server.renew(credentials);
        resolve();
      });
    });
    const before = await serialNumber(server);
    clock.advance(12 * hour - 1);
    expect(await serialNumber(server)).to.equal(before);
    clock.advance(1);
    await renewed;
    expect(await serialNumber(server)).not.to.equal(before);
    expect(clock.pendingTimers).to.be.greaterThan(0);
  });
});

/** A client that answers pings, as nghttp2 does by itself. */
async function session(server: SecureServer): Promise<ClientHttp2Session> {
  const opened = connectHttp2(`https://127.0.0.1:${server.address.port}`, { rejectUnauthorized: false });
  opened.on('error', () => {});
  await once(opened, 'remoteSettings', { signal: AbortSignal.timeout(5000) });
  return opened;
}

describe('SecureServer', () => {
  it('cuts a peer that has sent no whole request 10 s after its handshake, though it answers pings', async () => {
    const clock = new FakeClock();
    const { server, certificate } = await serve(clock);
    await using _closed = server;
    using _cancelled = certificate;
    const idle = await session(server);
    clock.advance(9_999);
    expect(idle.closed).to.equal(false);
    const closed = once(idle, 'close', { signal: AbortSignal.timeout(5000) });
    clock.advance(1);
    await closed;
  });

  it('cuts a connection that was without a stream for a minute, and none that has one', async () => {
    const clock = new FakeClock();
    const handler: GrpcHandler = (request, response) => {
      if (request.url === '/brief') response.writeHead(204).end();
    };
    const { server, certificate } = await serve(clock, { handler, pingIntervalMs: hour });
    await using _closed = server;
    using _cancelled = certificate;
    const used = await session(server);
    const held = used.request({ ':path': '/held' }).on('error', () => {});
    const brief = used.request({ ':path': '/brief' }, { endStream: true }).on('error', () => {});
    await once(brief.resume(), 'close', { signal: AbortSignal.timeout(5000) });
    clock.advance(120_000);
    expect(used.closed).to.equal(false);
    const timers = clock.pendingTimers;
    held.close();
    while (clock.pendingTimers === timers) await new Promise((resolve) => setImmediate(resolve));
    const closed = once(used, 'close', { signal: AbortSignal.timeout(5000) });
    clock.advance(60_000);
    await closed;
  });

  it('cuts a peer that leaves two pings unanswered', async () => {
    const clock = new FakeClock();
    const { server, certificate } = await serve(clock, { firstRequestMs: hour });
    await using _closed = server;
    using _cancelled = certificate;
    const socket = await dial(server);
    const greeted = once(socket, 'data', { signal: AbortSignal.timeout(5000) });
    socket.write(Buffer.concat([preface, emptySettings]));
    await greeted;
    clock.advance(30_000);
    expect(socket.closed).to.equal(false);
    clock.advance(30_000);
    await once(socket, 'close', { signal: AbortSignal.timeout(5000) });
  });

  it('frees its timers with its sessions', async () => {
    const clock = new FakeClock();
    const { server, certificate } = await serve(clock);
    certificate[Symbol.dispose]();
    const socket = await dial(server);
    const greeted = once(socket, 'data', { signal: AbortSignal.timeout(5000) });
    socket.write(Buffer.concat([preface, emptySettings]));
    await greeted;
    expect(clock.pendingTimers).to.equal(2);
    await server[Symbol.asyncDispose]();
    expect(clock.pendingTimers).to.equal(0);
  });

  it('says which address it cannot listen on', async () => {
    const clock = new FakeClock();
    const { server, certificate } = await serve(clock);
    await using _closed = server;
    using _cancelled = certificate;
    const deps = { credentials: certificate.credentials, handler: () => {}, clock, logger: silentLogger };
    const failure = await SecureServer.listen({ listen: server.address }, deps, AbortSignal.timeout(5000)).catch(
      (error: unknown) => error,
    );
    expect(failure).to.have.property('code', 'MESH-CONFIG-003');
    expect(failure)
      .to.have.property('message')
      .that.matches(/--listen: 127\.0\.0\.1:\d+: .*EADDRINUSE/);
  });
});
