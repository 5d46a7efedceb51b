import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { DeltaDiscoveryResponseSchema } from '../../src/wire/gen/xds/discovery_pb.ts';
import { ADDRESS_TYPE_URL } from '../../src/wire/type-urls.ts';
import type { XdsTermination } from '../../src/discovery/xds-client.ts';
import { untilTimer, XdsBed } from './xds-bed.ts';

describe('XdsClient when the control plane fails (section 3.1)', () => {
  let bed: XdsBed;

  beforeEach(async () => {
    bed = await XdsBed.open();
  });

  afterEach(() => bed[Symbol.asyncDispose]());

  it('backs off from 10 ms, doubling up to 15 s, while nobody listens', async () => {
    const unused = createServer();
    await new Promise<void>((resolve) => unused.listen(0, '127.0.0.1', resolve));
    const { port } = unused.address() as AddressInfo;
    await new Promise<void>((resolve) => unused.close(() => resolve()));
    const clock = new FakeClock();
    const { ends } = bed.start(`https://127.0.0.1:${port}`, { clock });
    for (const delayMs of [10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_120, 10_240, 15_000, 15_000]) {
      await untilTimer(clock, delayMs);
      clock.advance(delayMs);
    }
    expect(new Set(ends)).to.deep.equal(new Set(['ConnectionError']));
  });

  const statuses: readonly { code: Code; end: XdsTermination; delays: readonly number[] }[] = [
    { code: Code.Unavailable, end: 'Reconnect', delays: [10, 10, 10] },
    { code: Code.Unknown, end: 'Reconnect', delays: [10, 10, 10] },
    { code: Code.Unauthenticated, end: 'Error', delays: [10, 20, 40] },
    { code: Code.PermissionDenied, end: 'Error', delays: [10, 20, 40] },
  ];
  for (const { code, end, delays } of statuses) {
    it(`counts ${Code[code]} after a response as ${end}, and waits ${delays.join(', ')} ms`, async () => {
      const control = await bed.plane(async function* ({ requests }) {
        for await (const _ of requests) break;
        yield create(DeltaDiscoveryResponseSchema, { typeUrl: ADDRESS_TYPE_URL, nonce: 'n' });
        throw new ConnectError('go away', code);
      });
      const clock = new FakeClock();
      const { ends } = bed.start(control.url, { clock });
      for (const delayMs of delays) {
        await untilTimer(clock, delayMs);
        clock.advance(delayMs);
      }
      expect(ends.slice(0, 3)).to.deep.equal([end, end, end]);
    });
  }

  it('does not storm a control plane that fails every stream before its first response', async () => {
    const control = await bed.plane(async function* () {
      yield* [];
      throw new ConnectError('overloaded', Code.Unavailable);
    });
    const clock = new FakeClock();
    const { ends } = bed.start(control.url, { clock });
    for (const delayMs of [10, 20, 40]) {
      await untilTimer(clock, delayMs);
      clock.advance(delayMs);
    }
    expect(ends.slice(0, 3)).to.deep.equal(['Reconnect', 'Reconnect', 'Reconnect']);
  });

  it('gives a silent server 5 s to finish the handshake', async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => void sockets.add(socket.on('error', () => {}).resume()));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    bed.defer(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const clock = new FakeClock();
    const { ends } = bed.start(`https://127.0.0.1:${(silent.address() as AddressInfo).port}`, { clock });
    await untilTimer(clock, 5_000);
    clock.advance(5_000);
    await untilTimer(clock, 10);
    expect(ends).to.deep.equal(['ConnectionError']);
    for (const socket of sockets) if (!socket.closed) await once(socket, 'close', { signal: AbortSignal.timeout(3_000) });
  });

  describe('garbage', () => {
    const answers: Readonly<Record<string, (socket: Socket) => void>> = {
      'that is no HTTP/2': (socket) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\nwhat?'),
      'in the middle of HTTP/2': (socket) =>
        void socket.write(Buffer.concat([Buffer.from('000000040000000000', 'hex'), Buffer.alloc(64, 0xff)])),
      'of nothing': (socket) => void socket.end(),
      'of a cut': (socket) => void socket.destroy(),
    };
    for (const [title, answer] of Object.entries(answers)) {
      it(`${title} ends an attempt, and another follows`, async () => {
        const { certPem: cert, keyPem: key } = await bed.authority.issue({ ips: ['127.0.0.1'] });
        const server = createTlsServer({ cert, key, ALPNProtocols: ['h2'] }, (socket) => {
          socket.on('error', () => {});
          answer(socket);
        });
        server.on('tlsClientError', () => {});
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        bed.defer(() => void server.close());
        const clock = new FakeClock();
        const { ends } = bed.start(`https://127.0.0.1:${(server.address() as AddressInfo).port}`, { clock });
        await untilTimer(clock, 10);
        clock.advance(10);
        await untilTimer(clock, 20);
        expect(ends).to.have.length(2);
      });
    }

    it('in a resource is a NACK, and in a type nobody asked for as well', async () => {
      const control = await bed.plane(async function* ({ requests }) {
        yield create(DeltaDiscoveryResponseSchema, { typeUrl: 'type.example/unknown', nonce: 'n0', resources: [{ name: 'x' }] });
        yield create(DeltaDiscoveryResponseSchema, {
          typeUrl: ADDRESS_TYPE_URL,
          nonce: 'n1',
          resources: [{ name: 'x', resource: { typeUrl: 'y', value: Uint8Array.from([1]) } }, {}],
        });
        for await (const _ of requests);
      });
      bed.start(control.url);
      await control.until(() => control.requests.filter(({ request }) => request.errorDetail !== undefined).length === 2);
    });
  });
});
