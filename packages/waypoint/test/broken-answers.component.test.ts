import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { constants } from 'node:http2';
import type { FailureKind } from '../src/exchange/failure.ts';
import { answering, closing, fast, resetting } from './endpoint-failures.ts';
import { until } from './eventually.ts';
import { ask, ask2, say } from './http-client.ts';
import { ledgerConfiguration, route } from './ledger-configuration.ts';
import type { LedgerSpec } from './ledger-configuration.ts';
import { earlyServer, streamServer } from './script-server.ts';
import type { ScriptServer } from './script-server.ts';
import { WaypointBed } from './waypoint-bed.ts';

describe('answers that end badly', () => {
  let bed: WaypointBed;

  beforeEach(async () => {
    bed = await WaypointBed.open();
  });

  afterEach(() => bed[Symbol.asyncDispose]());

  async function serve({ server }: ScriptServer, spec?: LedgerSpec): Promise<number> {
    await bed.addEndpoint('ledger-0', server);
    expect(bed.push(...ledgerConfiguration(spec))).to.deep.equal([]);
    return bed.door();
  }

  it('break an answer off that its endpoint breaks off, in either protocol', async () => {
    const port = await serve(closing((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf')));
    const heard = await say(port, 'GET / HTTP/1.1\r\nhost: h\r\nx-request-id: one\r\n\r\n');
    expect(heard).to.match(/^HTTP\/1\.1 200 [^]*half$/);
    expect(await bed.line('one')).to.include({ status: 200, flags: 'UC', outcome: 'completed' });
    const error = await ask2(port, { 'x-request-id': 'two' }).then(
      () => undefined,
      (thrown: NodeJS.ErrnoException) => thrown,
    );
    expect(error?.code).to.equal('ERR_HTTP2_STREAM_ERROR');
    expect(await bed.line('two')).to.include({ status: 200, flags: 'UC', outcome: 'completed' });
  });

  it('end a chunked answer that breaks off without its last chunk', async () => {
    const port = await serve(
      closing((socket) => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n')),
    );
    const heard = await say(port, 'GET / HTTP/1.1\r\nhost: h\r\n\r\n');
    expect(heard).to.match(/half/);
    expect(heard).to.not.match(/\r\n0\r\n/);
  });

  it('let an answer pass that comes before the body’s end, and take the rest of the body', async () => {
    const port = await serve(
      earlyServer((socket) => socket.write('HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig')),
    );
    expect(await ask(port, { method: 'POST', body: 'x'.repeat(3_000_000) })).to.include({ status: 413, body: 'big' });
    expect(await ask2(port, { ':method': 'POST' }, 'x'.repeat(3_000_000))).to.include({ status: 413, body: 'big' });
    await until(() => bed.plane.active === 0);
  });

  it('answer 502 for what the caller’s protocol cannot say', async () => {
    const port = await serve(answering('HTTP/1.1 799 Odd\r\ncontent-length: 2\r\n\r\nok'));
    const { status, headers } = await ask2(port);
    expect(status).to.equal(502);
    expect(headers).to.include({ 'x-mesh-denied': 'bad-answer', 'x-mesh-outcome': 'unknown' });
    await until(() => bed.plane.active === 0);
  });

  const grpc: readonly (readonly [
    what: string,
    server: () => ScriptServer,
    spec: LedgerSpec,
    grpcStatus: string,
    kind: FailureKind,
  ])[] = [
    ['a stream reset', () => resetting(constants.NGHTTP2_INTERNAL_ERROR), {}, '14', 'reset'],
    ['silence', () => streamServer(() => {}), { resilience: fast }, '4', 'request-timeout'],
    [
      'no route',
      () => streamServer(() => {}),
      { routes: [route({ matches: [{ path: { type: 'Exact', value: '/only' }, headers: [], query: [] }] })] },
      '12',
      'no-route',
    ],
  ];
  for (const [what, server, spec, expected, kind] of grpc) {
    it(`speak gRPC to those who do: ${what}`, async () => {
      const port = await serve(server(), { protocol: 'GRPC', ...spec });
      const { status, headers } = await ask2(port, { ':method': 'POST', 'content-type': 'application/grpc' }, Buffer.alloc(5));
      expect(status).to.equal(200);
      expect(headers).to.include({ 'grpc-status': expected, 'x-mesh-denied': kind, 'content-type': 'application/grpc' });
      expect(await bed.line(String(headers['x-request-id']))).to.include({ status: 200, grpc_status: Number(expected) });
    });
  }
});
