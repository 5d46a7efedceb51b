import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { ServerResponse } from 'node:http';
import type { HttpRoute, RouteFilter, RouteRule } from '@clearmesh/shared/model/l7/route';
import { until } from './eventually.ts';
import { ask } from './http-client.ts';
import { ledgerConfiguration, route } from './ledger-configuration.ts';
import { namedEcho } from './named-echo.ts';
import type { NamedEcho, Seen } from './named-echo.ts';
import { ledger, WaypointBed } from './waypoint-bed.ts';

const headers = (kind: 'request-headers' | 'response-headers'): RouteFilter => ({
  kind,
  set: [['x-set', 'new']],
  add: [['x-added', 'b']],
  remove: ['x-gone'],
});

describe('routes of a waypoint', () => {
  let bed: WaypointBed;
  let app: NamedEcho;
  let port: number;

  beforeEach(async () => {
    bed = await WaypointBed.open();
    app = namedEcho('ledger-0', (response, seen) =>
      response.writeHead(200, { 'x-set': 'old', 'x-added': 'a', 'x-gone': '1' }).end(JSON.stringify(seen)),
    );
    await bed.addEndpoint('ledger-0', app.server);
    port = await bed.door();
  });

  afterEach(() => bed[Symbol.asyncDispose]());

  function push(...rules: readonly Partial<RouteRule>[]): void {
    const routes: readonly HttpRoute[] = rules.map((rule, at) => route(rule, `r${at}`));
    expect(bed.push(...ledgerConfiguration({ routes }))).to.deep.equal([]);
  }

  const matches: readonly (readonly [
    what: string,
    match: RouteRule['matches'][number],
    path: string,
    headers: Record<string, string>,
    status: number,
  ])[] = [
    ['an exact path', { path: { type: 'Exact', value: '/a' }, headers: [], query: [] }, '/a', {}, 200],
    ['a longer path than the exact one', { path: { type: 'Exact', value: '/a' }, headers: [], query: [] }, '/a/b', {}, 404],
    ['a prefix', { path: { type: 'PathPrefix', value: '/a' }, headers: [], query: [] }, '/a/b', {}, 200],
    ['half a segment', { path: { type: 'PathPrefix', value: '/a' }, headers: [], query: [] }, '/ab', {}, 404],
    ['an escape of the same path', { path: { type: 'Exact', value: '/a' }, headers: [], query: [] }, '/%61', {}, 200],
    ['a header', { headers: [{ type: 'Exact', name: 'x-tenant', value: 'a' }], query: [] }, '/', { 'x-tenant': 'a' }, 200],
    ['another header', { headers: [{ type: 'Exact', name: 'x-tenant', value: 'a' }], query: [] }, '/', { 'x-tenant': 'b' }, 404],
    ['a query', { headers: [], query: [{ type: 'Exact', name: 'q', value: '1' }] }, '/?q=1', {}, 200],
    ['another method', { method: 'POST', headers: [], query: [] }, '/', {}, 404],
  ];
  for (const [what, match, path, sent, status] of matches) {
    it(`answer ${status} to ${what}`, async () => {
      push({ matches: [match] });
      const reply = await ask(port, { path, headers: sent });
      expect(reply.status).to.equal(status);
      if (status === 404) expect(reply.headers).to.include({ 'x-mesh-denied': 'no-route', 'x-mesh-outcome': 'not-dispatched' });
    });
  }

  it('change fields both ways', async () => {
    push({ filters: [headers('request-headers'), headers('response-headers')] });
    const reply = await ask(port, { headers: { 'x-set': 'old', 'x-added': 'a', 'x-gone': '1' } });
    const seen = JSON.parse(reply.body) as Seen;
    expect(seen.headers).to.include({ 'x-set': 'new', 'x-added': 'a, b' });
    expect(reply.headers).to.include({ 'x-set': 'new', 'x-added': 'a, b' });
    expect(seen.headers).to.not.have.property('x-gone');
    expect(reply.headers).to.not.have.property('x-gone');
  });

  it('say what is left of a limit beside what the service says of its own', async () => {
    await bed[Symbol.asyncDispose]();
    bed = await WaypointBed.open();
    const own = (response: ServerResponse): unknown => response.writeHead(200, { ratelimit: '"app";r=1;t=1' }).end();
    await bed.addEndpoint('ledger-0', namedEcho('limited', own).server);
    const rest = { scope: 'local', matches: [], key: [], windowMs: 1_000, burst: 9, shadow: false } as const;
    const limits = [{ name: 'all', requests: 9, ...rest }];
    const spec = { rateLimits: [{ key: 'RateLimitPolicy ledger/all', onStoreFailure: 'deny', limits }] } as const;
    expect(bed.push(...ledgerConfiguration(spec))).to.deep.equal([]);
    const reply = await ask(await bed.door());
    expect(reply.headers['ratelimit']).to.match(/^"app";r=1;t=1, "all";r=8/);
    expect(reply.headers['ratelimit-policy']).to.equal('"all";q=9;w=1');
  });

  it('rewrite host and path, and log the template of the route', async () => {
    push({
      matches: [{ path: { type: 'PathPrefix', value: '/old' }, headers: [], query: [] }],
      filters: [{ kind: 'rewrite', hostname: 'books.example', path: { type: 'ReplacePrefixMatch', value: '/new' } }],
    });
    const reply = await ask(port, { path: '/old/1?x=y' });
    const seen = JSON.parse(reply.body) as Seen;
    expect(seen.url).to.equal('/new/1?x=y');
    expect(seen.headers).to.include({ host: 'books.example' });
    const line = await bed.line(String(reply.headers['x-request-id']));
    expect(line['route']).to.match(/^\/old/);
  });

  it('redirect without asking the service', async () => {
    push({ filters: [{ kind: 'redirect', scheme: 'https', hostname: 'bank.example', status: 301 }] });
    const reply = await ask(port, { path: '/a?b' });
    expect(reply.status).to.equal(301);
    expect(reply.headers['location']).to.match(/^https:\/\/bank\.example(:\d+)?\/a\?b$/);
    expect(app.seen).to.deep.equal([]);
    expect(await bed.line(String(reply.headers['x-request-id']))).to.include({ status: 301, flags: '-', attempts: 0 });
  });

  it('cut an answer that takes longer than the rule allows', async () => {
    await bed[Symbol.asyncDispose]();
    bed = await WaypointBed.open();
    await bed.addEndpoint('ledger-0', namedEcho('slow', () => {}).server);
    push({ timeouts: { requestMs: 100 } });
    const reply = await ask(await bed.door());
    expect(reply.status).to.equal(504);
    expect(reply.headers).to.include({ 'x-mesh-denied': 'request-timeout' });
  });

  it('mirror safe requests, and nobody waits for the copy', async () => {
    push({ filters: [{ kind: 'mirror', backend: { service: ledger.key, port: 8080 }, percent: 100 }] });
    expect((await ask(port, { path: '/m', headers: { host: 'ledger' } })).status).to.equal(200);
    await until(() => app.seen.length === 2);
    expect(app.seen.map((one) => one.headers.host)).to.have.members(['ledger', 'ledger-shadow']);
    await ask(port, { method: 'POST', path: '/m', body: 'x' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(app.seen.length).to.equal(3);
    expect(bed.log.length).to.equal(2);
  });

  it('split by weight', async () => {
    const backend = { kind: 'service', service: ledger.key, port: 8080, filters: [] } as const;
    const named = (name: string): RouteFilter => ({ kind: 'request-headers', set: [['x-to', name]], add: [], remove: [] });
    push({
      backends: [
        { ...backend, weight: 9, filters: [named('v1')] },
        { ...backend, weight: 1, filters: [named('v2')] },
        { ...backend, weight: 0, filters: [named('v3')] },
      ],
    });
    await Promise.all(Array.from({ length: 200 }, () => ask(port)));
    const counts = new Map<string, number>();
    for (const seen of app.seen) counts.set(String(seen.headers['x-to']), (counts.get(String(seen.headers['x-to'])) ?? 0) + 1);
    expect(counts.get('v1')).to.be.within(150, 199);
    expect(counts.get('v2')).to.be.within(1, 50);
    expect(counts.get('v3')).to.equal(undefined);
  });
});
