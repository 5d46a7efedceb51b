import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import http from 'node:http';
import { until } from './eventually.ts';
import { ask } from './http-client.ts';
import { ledgerConfiguration, route } from './ledger-configuration.ts';
import type { ResilienceChanges } from './ledger-configuration.ts';
import { namedEcho } from './named-echo.ts';
import type { NamedEcho } from './named-echo.ts';
import { scriptServer } from './script-server.ts';
import { ledger, WaypointBed } from './waypoint-bed.ts';

const backend = `${ledger.key}:8080`;
const healthy = (name: string): NamedEcho => namedEcho(name, (response) => response.end(name));
const failing = (name: string, status = 500): NamedEcho => namedEcho(name, (response) => response.writeHead(status).end());

describe('resilience of a waypoint', () => {
  let bed: WaypointBed;

  beforeEach(async () => {
    bed = await WaypointBed.open();
  });

  afterEach(() => bed[Symbol.asyncDispose]());

  async function serve(apps: readonly NamedEcho[], resilience: ResilienceChanges): Promise<number> {
    for (const [at, app] of apps.entries()) await bed.addEndpoint(`ledger-${at}`, app.server);
    bed.push(...ledgerConfiguration({ resilience }));
    return bed.door();
  }

  const breakers = (): { readonly state: string }[] =>
    ((bed.plane.operatorView().status.breakers() ?? {}) as Record<string, { state: string }[]>)[backend] ?? [];

  it('tries another endpoint where the policy says so, and numbers attempts for the service', async () => {
    const apps = [failing('a', 503), healthy('b')];
    const port = await serve(apps, { retry: { on: ['5xx'], attempts: 2, backoff: { baseMs: 1, maxMs: 2 } } });
    for (let round = 0; round < 20; round += 1) expect(await ask(port)).to.include({ status: 200, body: 'b' });
    const numbers = new Set(apps[1]?.seen.map(({ headers }) => headers['x-envoy-attempt-count']));
    expect([...numbers].every((number) => number === '1' || number === '2')).to.equal(true);
    expect(apps[0]?.seen.length).to.be.greaterThan(0);
  });

  it('stops retrying when the budget of the backend is used up', async () => {
    const app = failing('a', 503);
    const port = await serve([app], {
      retry: {
        on: ['5xx'],
        attempts: 1,
        backoff: { baseMs: 1, maxMs: 2 },
        budget: { percent: 0, intervalMs: 10_000, minPerSecond: 1 },
      },
      limits: { maxRetries: 100 },
    });
    const replies = [];
    for (let round = 0; round < 30; round += 1) replies.push(await ask(port));
    expect(app.seen.length).to.be.within(31, 42);
    expect(replies.at(-1)?.headers).to.include({ 'x-mesh-denied': 'overflow', 'x-mesh-outcome': 'unknown' });
    expect(await bed.line(String(replies.at(-1)?.headers['x-request-id']))).to.include({ status: 503, flags: 'UO' });
  });

  it('tells the service what is left of the caller’s deadline', async () => {
    const app = healthy('a');
    const port = await serve([app], {});
    await ask(port, { headers: { 'x-mesh-deadline-ms': 5_000 } });
    expect(Number(app.seen[0]?.headers['x-mesh-deadline-ms'])).to.be.within(4_000, 5_000);
  });

  it('opens the breaker of a route, lets one probe through, and closes', async () => {
    let broken = true;
    const app = namedEcho('a', (response) => response.writeHead(broken ? 500 : 200).end());
    await bed.addEndpoint('ledger-0', app.server);
    const circuitBreaker = { errorThresholdPercent: 50, volumeThreshold: 5, windowMs: 10_000, openMs: 150, maxOpenMs: 1_000 };
    const only = (path: string): ReturnType<typeof route> =>
      route({ matches: [{ path: { type: 'PathPrefix', value: path }, headers: [], query: [] }] }, path.slice(1));
    bed.push(...ledgerConfiguration({ routes: [only('/a'), only('/b')], resilience: { circuitBreaker } }));
    const port = await bed.door();
    const agent = new http.Agent({ keepAlive: true });
    while ((await ask(port, { path: '/a', agent })).headers['x-mesh-denied'] !== 'breaker-open')
      expect(app.seen.length).to.be.lessThan(12);
    expect(breakers().map(({ state }) => state)).to.include('open');
    const refused = app.seen.length;
    const reply = await ask(port, { path: '/a', agent });
    expect(reply).to.include({ status: 503 });
    expect(reply.headers).to.include({ 'x-envoy-overloaded': 'true', 'x-mesh-outcome': 'not-dispatched' });
    expect(app.seen.length).to.equal(refused);
    expect((await ask(port, { path: '/b', agent })).status).to.equal(500);
    broken = false;
    await until(
      () => breakers().some(({ state }) => state === 'half-open') || breakers().every(({ state }) => state !== 'open'),
      1_000,
    ).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = app.seen.length;
    expect((await ask(port, { path: '/a', agent })).status).to.equal(200);
    expect(app.seen.length).to.equal(before + 1);
    expect(breakers().map(({ state }) => state)).to.not.include('open');
    expect((await ask(port, { path: '/a', agent })).status).to.equal(200);
    agent.destroy();
  });

  it('ejects an endpoint that fails, and says which', async () => {
    const apps = [failing('a'), healthy('b'), healthy('c')];
    const outlierDetection = {
      consecutive5xx: 1,
      consecutiveLocal: 1,
      intervalMs: 10_000,
      baseEjectionMs: 30_000,
      maxEjectionMs: 300_000,
      panicPercent: 30,
      panic: 'spread',
    } as const;
    const port = await serve(apps, { outlierDetection });
    for (let round = 0; round < 60; round += 1) await ask(port);
    expect(apps[0]?.seen.length).to.equal(1);
    const outliers = bed.plane.operatorView().status.outliers() as Record<
      string,
      { ejected: number; endpoints: { name: string; ejectedForMs: number }[] }
    >;
    expect(outliers[backend]?.ejected).to.equal(1);
    expect(outliers[backend]?.endpoints.find(({ ejectedForMs }) => ejectedForMs > 0)?.name).to.equal('ledger-0');
    expect(await bed.metrics.registry.metrics()).to.match(/clearmesh_waypoint_endpoints_ejected\{[^}]*\} 1/);
  });

  it('refuses what is beyond the limit of requests, at once', async () => {
    const held: http.ServerResponse[] = [];
    const port = await serve([namedEcho('a', (response) => held.push(response))], { limits: { maxRequests: 2 } });
    const first = [ask(port), ask(port)];
    await until(() => held.length === 2);
    const reply = await ask(port);
    expect(reply.status).to.equal(503);
    expect(reply.headers).to.include({ 'x-mesh-denied': 'overflow', 'x-envoy-overloaded': 'true' });
    for (const response of held) response.end('ok');
    expect((await Promise.all(first)).map(({ status }) => status)).to.deep.equal([200, 200]);
    const third = ask(port);
    await until(() => held.length === 3);
    held[2]?.end('ok');
    expect((await third).status).to.equal(200);
  });

  it('lets requests wait for one of few connections', async () => {
    let most = 0;
    let now = 0;
    const app = namedEcho('a', (response) => {
      now += 1;
      most = Math.max(most, now);
      setTimeout(() => {
        now -= 1;
        response.end('ok');
      }, 10);
    });
    const port = await serve([app], { limits: { maxConnections: 2, maxPending: 100 } });
    const replies = await Promise.all(Array.from({ length: 30 }, () => ask(port)));
    expect(replies.every(({ status }) => status === 200)).to.equal(true);
    expect(most).to.equal(2);
  });

  it('keeps 99.9 % of requests whole while one replica of five fails', async function () {
    this.timeout(20_000);
    for (const at of [0, 1, 2, 3]) await bed.addEndpoint(`ledger-${at}`, healthy(`${at}`).server);
    await bed.addEndpoint('ledger-4', scriptServer((socket) => socket.destroy()).server);
    const outlierDetection = {
      consecutive5xx: 5,
      consecutiveLocal: 5,
      intervalMs: 10_000,
      baseEjectionMs: 30_000,
      maxEjectionMs: 300_000,
      panicPercent: 50,
      panic: 'spread',
    } as const;
    bed.push(
      ...ledgerConfiguration({
        resilience: {
          outlierDetection,
          retry: { on: ['connect-failure', 'refused-stream', 'reset-before-request', 'reset'], attempts: 1 },
          limits: { maxRetries: 50 },
        },
      }),
    );
    const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
    const port = await bed.door();
    const startMs = performance.now();
    const after: number[] = [];
    const worker = async (): Promise<void> => {
      while (performance.now() - startMs < 3_000) {
        const atMs = performance.now() - startMs;
        const { status } = await ask(port, { agent });
        if (atMs > 1_000) after.push(status);
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    agent.destroy();
    expect(after.length).to.be.greaterThan(500);
    expect(after.filter((status) => status === 200).length / after.length).to.be.at.least(0.999);
  });
});
