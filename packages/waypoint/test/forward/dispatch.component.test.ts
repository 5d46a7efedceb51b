import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import { ip } from '@clearmesh/shared/testing/builders';
import type { TunnelDialer } from '@clearmesh/shared/tunnel/dialer';
import { streamOf } from '../../src/exchange/answer-body.ts';
import { Backends } from '../../src/forward/backends.ts';
import type { DispatchResult } from '../../src/forward/dispatch-request.ts';
import { forwardPolicy } from '../../src/forward/forward-policy.ts';
import type { UpstreamEndpoint } from '../../src/forward/upstream.ts';
import { WireConnector } from '../../src/forward/wire-connection.ts';
import { WireUpstream } from '../../src/forward/wire-upstream.ts';
import { resilience } from './fake-upstream.ts';
import type { Spec } from './fake-upstream.ts';

const caller = 'spiffe://cluster.local/ns/payments/sa/payments' as SpiffeId;
const { retry, timeouts } = resilience();

describe('Dispatcher over real connections (C1, C10)', () => {
  let stack: AsyncDisposableStack;
  let backends: Backends;

  beforeEach(() => {
    stack = new AsyncDisposableStack();
    const connector = new WireConnector(
      { identity: caller, address: ip('127.0.0.1'), connectMs: 500 },
      { dialer: {} as TunnelDialer },
    );
    const upstream = stack.use(new WireUpstream({}, { connector, clock: systemClock }));
    const metrics = { attemptEnded: () => {}, retried: () => {}, retryRefused: () => {}, ejected: () => {} };
    backends = stack.use(new Backends({}, { upstream, clock: systemClock, random: systemRandom, metrics }));
  });

  afterEach(() => stack.disposeAsync());

  async function listening(server: net.Server, protocol: UpstreamEndpoint['protocol'] = 'HTTP/1.1'): Promise<UpstreamEndpoint> {
    const sockets = new Set<net.Socket>();
    server.on('connection', (socket) => sockets.add(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    stack.defer(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return endpointAt((server.address() as AddressInfo).port, protocol);
  }

  function endpointAt(port: number, protocol: UpstreamEndpoint['protocol'] = 'HTTP/1.1'): UpstreamEndpoint {
    return {
      id: `pod/${port}`,
      workload: 'pod' as WorkloadUid,
      name: `pod-${port}`,
      address: { ip: ip('127.0.0.1'), port },
      protocol,
    };
  }

  async function closedPort(): Promise<number> {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return port;
  }

  function dispatch(endpoints: readonly UpstreamEndpoint[], { policy, ...spec }: Spec = {}): Promise<DispatchResult> {
    return backends.of('bank/ledger:8080').dispatch(
      {
        policy: forwardPolicy(resilience(policy)),
        route: 'pay',
        endpoints,
        method: 'POST',
        path: '/payments',
        authority: 'ledger',
        headers: {},
        grpc: false,
        caller,
        body: Readable.from([Buffer.from('50 '), Buffer.from('EUR')], { objectMode: false }),
        startedMs: systemClock.monotonicMs(),
        ...spec,
      },
      new AbortController().signal,
    );
  }

  it('pays once although the first endpoint cannot be reached', async () => {
    const bodies: string[] = [];
    const server = http.createServer((request, response) => {
      void text(request).then((body) => {
        bodies.push(body);
        response.end('booked');
      });
    });
    const endpoints = [await listening(server), endpointAt(await closedPort())];
    for (let payment = 0; payment < 10; payment++) {
      const result = await dispatch(endpoints);
      if (result.kind === 'failed') throw new Error(result.failure.detail);
      expect(await text(streamOf(result.answer.body))).to.equal('booked');
    }
    expect(bodies).to.deep.equal(Array.from({ length: 10 }, () => '50 EUR'));
  });

  it('does not pay twice when the endpoint dies after it read the payment', async () => {
    let payments = 0;
    const server = http.createServer((request) => {
      void text(request).then(() => {
        payments += 1;
        request.socket.destroy();
      });
    });
    const endpoints = [await listening(server), await listening(http.createServer(() => (payments += 100)))];
    // Only the first can be chosen until it has failed once.
    const result = await dispatch(endpoints.slice(0, 1), {
      policy: { retry: { ...retry, attempts: 3, on: ['reset', '5xx', 'gateway-error'] } },
    });
    expect(result).to.include({ kind: 'failed', outcome: 'unknown', attempts: 1 });
    expect(payments).to.equal(1);
  });

  for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
    it(`keeps the deadline within 50 ms when an endpoint is silent (${protocol})`, async () => {
      const endpoint = await listening(
        protocol === 'HTTP/2' ? http2.createServer(() => {}) : http.createServer(() => {}),
        protocol,
      );
      const startedMs = systemClock.monotonicMs();
      const result = await dispatch([endpoint], { policy: { timeouts: { ...timeouts, requestMs: 150 } } });
      expect(result).to.include({ kind: 'failed', outcome: 'unknown', flag: 'UT' });
      expect(systemClock.monotonicMs() - startedMs).to.be.within(145, 200);
    });
  }

  it('ends an HTTP/2 answer that is reset half way with an error (RST_STREAM CANCEL and others)', async () => {
    for (const code of [http2.constants.NGHTTP2_INTERNAL_ERROR, http2.constants.NGHTTP2_CANCEL]) {
      const endpoint = await listening(resettingServer(code), 'HTTP/2');
      const result = await dispatch([endpoint], { body: undefined, method: 'GET' });
      if (result.kind === 'failed') throw new Error(result.failure.detail);
      const read = await text(streamOf(result.answer.body)).catch((error: Error) => error.name);
      expect(read).to.equal('UpstreamError');
      expect(await result.ended).to.have.nested.property('failure.kind', 'reset-in-answer');
    }
  });

  it('answers early without waiting for a body that does not end', async () => {
    const server = http.createServer((_request, response) => response.writeHead(413).end('too large'));
    const endless = new Readable({ read: () => {} });
    endless.push('begun');
    const result = await dispatch([await listening(server)], { body: endless });
    if (result.kind === 'failed') throw new Error(result.failure.detail);
    expect(await text(streamOf(result.answer.body))).to.equal('too large');
    expect(await result.ended).to.deep.equal({ kind: 'complete' });
    expect(backends.active).to.equal(0);
  });
});

/** An HTTP/2 server by frames (RFC 9113): SETTINGS, then for stream 1 half an answer and RST_STREAM. */
function resettingServer(code: number): net.Server {
  const frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, payload]);
  };
  const reason = Buffer.alloc(4);
  reason.writeUInt32BE(code);
  return net.createServer((socket) => {
    socket.on('error', () => {});
    socket.write(frame(4, 0, 0, Buffer.alloc(0)));
    socket.once('data', () => {
      // HPACK: 0x88 is `:status: 200`, indexed.
      socket.write(frame(1, 4, 1, Buffer.from([0x88])));
      socket.write(frame(0, 0, 1, Buffer.from('half')));
      setTimeout(() => socket.write(frame(3, 0, 1, reason)), 30);
    });
  });
}
