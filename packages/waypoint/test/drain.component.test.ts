import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { until } from './eventually.ts';
import { grpcClient, grpcLedger, unary } from './grpc-ledger.ts';
import { ask, ask2, say } from './http-client.ts';
import { ledgerConfiguration } from './ledger-configuration.ts';
import { namedEcho } from './named-echo.ts';
import { WaypointBed } from './waypoint-bed.ts';

describe('the drain of a waypoint', () => {
  let bed: WaypointBed;
  let held: http.ServerResponse[];

  beforeEach(async () => {
    bed = await WaypointBed.open();
    held = [];
    await bed.addEndpoint(
      'ledger-0',
      namedEcho('ledger-0', (response, { url }) => (url === '/now' ? response.end('now') : held.push(response))).server,
    );
    bed.push(...ledgerConfiguration());
  });

  afterEach(() => bed[Symbol.asyncDispose]());

  it('finishes what is under way, to the last byte', async () => {
    const port = await bed.door();
    const [first, second] = [ask(port), ask2(port)];
    await until(() => held.length === 2);
    const drained = bed.plane.drain(5_000);
    const body = 'x'.repeat(3_000_000);
    for (const response of held) response.end(body);
    expect(await drained).to.equal(0);
    for (const reply of await Promise.all([first, second])) expect(reply.body.length).to.equal(body.length);
  });

  it('asks callers of HTTP/1.1 to come again elsewhere', async () => {
    const port = await bed.door();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
    expect((await ask(port, { agent, path: '/now' })).headers['connection']).to.equal('keep-alive');
    const idle = Object.values(agent.freeSockets).flat()[0];
    const under = ask(port, { agent });
    await until(() => held.length === 1);
    const other = net.connect(port, '127.0.0.1');
    other.write('GET /now HTTP/1.1\r\nhost: h\r\n\r\n');
    await once(other, 'data');
    const ended = once(other, 'end');
    const drained = bed.plane.drain(5_000);
    await ended;
    held[0]?.end('late');
    expect((await under).body).to.equal('late');
    await drained;
    expect(idle).to.not.equal(undefined);
    agent.destroy();
    other.destroy();
  });

  it('says connection: close to a request that comes while it drains', async () => {
    const port = await bed.door();
    const under = ask(port);
    const socket = net.connect(port, '127.0.0.1');
    // The head has begun: this connection is not at rest.
    socket.write('GET /now HTTP/1.1\r\nhost: h\r\n');
    await until(() => held.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const drained = bed.plane.drain(5_000);
    socket.write('\r\n');
    let heard = '';
    for await (const chunk of socket) heard += String(chunk);
    expect(heard).to.match(/^HTTP\/1\.1 200 [^]*connection: close[^]*now$/i);
    held[0]?.end('late');
    await under;
    await drained;
  });

  it('sends GOAWAY inside the tunnel, and finishes the streams before it', async () => {
    const session = http2.connect(`http://127.0.0.1:${await bed.door()}`);
    const goaway = once(session, 'goaway');
    const stream = session.request({ ':path': '/' });
    await until(() => held.length === 1);
    const drained = bed.plane.drain(5_000);
    expect((await goaway)[0]).to.equal(http2.constants.NGHTTP2_NO_ERROR);
    held[0]?.end('late');
    let body = '';
    for await (const chunk of stream) body += String(chunk);
    expect(body).to.equal('late');
    expect(await drained).to.equal(0);
  });

  it('cuts what is left at its deadline, and counts it', async () => {
    const port = await bed.door();
    const cut = [ask(port), ask2(port)].map((asked) =>
      asked.then(
        () => 'whole',
        () => 'cut',
      ),
    );
    await until(() => held.length === 2);
    const startMs = performance.now();
    expect(await bed.plane.drain(100)).to.equal(2);
    expect(performance.now() - startMs).to.be.within(90, 1_500);
    expect(await Promise.all(cut)).to.deep.equal(['cut', 'cut']);
    expect(bed.log.map(({ outcome }) => outcome)).to.deep.equal(['unknown', 'unknown']);
  });

  it('is not what a new configuration is: streams under way go on', async () => {
    const port = await bed.door();
    const under = ask(port);
    await until(() => held.length === 1);
    held[0]?.write('begun ');
    const key = 'AuthorizationPolicy ledger/nobody';
    bed.push(
      ...ledgerConfiguration({ authorization: [{ key, namespace: 'ledger', action: 'ALLOW', dryRun: false, rules: [] }] }),
    );
    expect((await ask(port, { path: '/now' })).status).to.equal(403);
    held[0]?.end('ended');
    expect((await under).body).to.equal('begun ended');
    bed.push({ services: [] });
    expect((await ask(port, { path: '/now' }).catch(() => ({ status: 0 }))).status).to.be.oneOf([0, 404]);
  });
});

describe('what a waypoint leaves behind', () => {
  /** Sockets and timers of the process, by kind. */
  function resources(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
    return counts;
  }

  async function use(): Promise<void> {
    await using bed = await WaypointBed.open();
    const server = http.createServer((request, response) => request.resume().on('end', () => response.end('ok')));
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
    await bed.addEndpoint('ledger-0', server);
    bed.push(...ledgerConfiguration({ resilience: { timeouts: { requestMs: 5_000 } } }));
    const port = await bed.door();
    await Promise.all(Array.from({ length: 20 }, () => ask(port, { method: 'POST', body: 'x' })));
    await Promise.all(Array.from({ length: 20 }, () => ask2(port)));
    const aborted = http.get({ port, host: '127.0.0.1', agent: false });
    aborted.on('error', () => {});
    aborted.destroy();
    await say(port, 'garbage\r\n\r\n');
    const socket = new WebSocket(`ws://127.0.0.1:${port}`);
    await once(socket, 'open');
    socket.close();
    await once(socket, 'close');
    await until(() => bed.plane.active === 0);
    for (const status of Object.values(bed.plane.operatorView().status.limits() as Record<string, Record<string, number>>)) {
      expect(status).to.deep.equal({ requests: 0, retries: 0, connections: 0, pending: 0, upgraded: 0 });
    }
    await bed.plane.drain(1_000);
  }

  async function useGrpc(): Promise<void> {
    await using bed = await WaypointBed.open();
    const ledger = grpcLedger();
    await bed.addEndpoint('ledger-0', ledger.server);
    bed.push(...ledgerConfiguration({ protocol: 'GRPC' }));
    const client = grpcClient(await bed.door());
    for (let round = 0; round < 10; round += 1) await unary(client, round % 2 === 0 ? 'Echo' : 'Fail', Buffer.from('x'));
    await unary(client, 'Wait', Buffer.alloc(0), { deadline: 50 });
    await until(() => bed.plane.active === 0);
    client.close();
    ledger.grpc.forceShutdown();
  }

  for (const [what, once_] of [
    ['HTTP and WebSocket', use],
    ['gRPC', useGrpc],
  ] as const) {
    it(`is nothing, after ${what}`, async () => {
      await once_();
      await new Promise((resolve) => setTimeout(resolve, 200));
      const before = resources();
      await once_();
      await once_();
      await new Promise((resolve) => setTimeout(resolve, 200));
      const left = resources();
      for (const kind of ['TCPSocketWrap', 'TCPServerWrap', 'Timeout', 'TLSWrap']) {
        expect(left[kind] ?? 0, kind).to.be.at.most(before[kind] ?? 0);
      }
    });
  }
});
