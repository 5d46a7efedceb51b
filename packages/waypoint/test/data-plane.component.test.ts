import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import http from 'node:http';
import { analytics, ledger, payments, WaypointBed } from './waypoint-bed.ts';
import { boundService } from './bound-service.ts';

/** Answers with what it saw. */
function echo(name: string): http.Server {
  return http.createServer((request, response) => {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => (bytes += chunk.length));
    request.on('end', () => {
      response.writeHead(200, { 'content-type': 'application/json', 'x-mesh-outcome': 'spoofed' });
      response.end(JSON.stringify({ name, method: request.method, url: request.url, headers: request.headers, bytes }));
    });
  });
}

describe('a waypoint', () => {
  let bed: WaypointBed;

  beforeEach(async () => {
    bed = await WaypointBed.open();
  });

  afterEach(() => bed[Symbol.asyncDispose]());

  it('carries a request to an endpoint on behalf of its caller', async () => {
    await bed.addEndpoint('ledger-0', echo('ledger-0'));
    expect(bed.push()).to.deep.equal([]);
    const answer = await bed.ask({
      method: 'POST',
      path: '/entries?a=b',
      body: 'abc',
      headers: { host: 'anything', 'x-mesh-forged': '1' },
    });
    expect(answer.status).to.equal(200);
    const seen = JSON.parse(answer.body) as {
      readonly headers: Record<string, string>;
      readonly url: string;
      readonly bytes: number;
    };
    expect(seen).to.include({ name: 'ledger-0', method: 'POST', url: '/entries?a=b', bytes: 3 });
    expect(seen.headers).to.include({ host: 'anything' });
    expect(seen.headers['traceparent']).to.match(/^00-/);
    expect(seen.headers).to.not.have.property('x-mesh-forged');
    expect(answer.headers).to.not.have.property('x-mesh-outcome');
    expect(bed.asked[0]).to.deep.include({ peer: 'spiffe://cluster.local/ns/ledger/sa/ledger-waypoint' });
    expect(bed.asked[0]?.headers.caller).to.equal(payments);
    const line = await bed.line(String(answer.headers['x-request-id']));
    expect(line).to.include({
      status: 200,
      flags: '-',
      outcome: 'completed',
      src_principal: payments,
      upstream: 'ledger-0',
      bytes_in: 3,
    });
  });

  it('refuses a CONNECT to what is not bound to it', async () => {
    bed.push();
    expect(await bed.connect(payments, '10.96.0.99:80')).to.equal(421);
    expect(await bed.connect(payments, 'ledger:8080')).to.equal(421);
  });

  it('verifies the exact service account of the endpoint', async () => {
    await bed.addEndpoint('ledger-0', echo('ledger-0'), { account: 'somebody-else' });
    bed.push();
    const answer = await bed.ask({ path: '/' });
    expect(answer.status).to.equal(503);
    expect(answer.headers).to.include({ 'x-mesh-denied': 'connect-failure', 'x-mesh-outcome': 'not-dispatched' });
    expect(bed.asked).to.deep.equal([]);
  });

  it('refuses by policy, and says so in answer, log and metric', async () => {
    await bed.addEndpoint('ledger-0', echo('ledger-0'));
    const key = 'AuthorizationPolicy ledger/only-payments';
    const rules = [{ from: [{ principals: ['cluster.local/ns/payments/sa/payments'] }], to: [{ methods: ['GET'] }] }];
    const policies = {
      authorization: { [key]: { key, namespace: 'ledger', action: 'ALLOW' as const, dryRun: false, rules } },
      jwt: {},
      opa: {},
      resilience: {},
      rateLimits: {},
      faults: {},
    };
    bed.push({ services: [boundService({ key: ledger.key, authorization: [key] })], policies });
    expect((await bed.ask({ path: '/' })).status).to.equal(200);
    for (const refused of [await bed.ask({ path: '/', method: 'POST' }), await bed.ask({ path: '/', caller: analytics })]) {
      expect(refused.status).to.equal(403);
      expect(refused.headers).to.include({ 'x-mesh-denied': 'policy-denied', 'x-mesh-outcome': 'not-dispatched' });
      const line = await bed.line(String(refused.headers['x-request-id']));
      expect(line).to.include({ status: 403, flags: 'RBAC', outcome: 'not-dispatched' });
    }
    expect(await bed.metrics.registry.metrics()).to.match(/clearmesh_denials_total\{reason="policy-denied"[^}]*\} 2/);
  });

  it('keeps the last good configuration when a poisoned one comes, and says why', async () => {
    await bed.addEndpoint('ledger-0', echo('ledger-0'));
    bed.push();
    const route = {
      key: 'HTTPRoute ledger/bad',
      ports: [],
      hostnames: [],
      rules: [
        {
          matches: [{ path: { type: 'RegularExpression' as const, value: '(' }, headers: [], query: [] }],
          filters: [],
          backends: [],
          timeouts: {},
        },
      ],
    };
    const [reason = ''] = bed.push({ services: [boundService({ key: ledger.key, routes: [route] })] });
    expect(reason).to.include('HTTPRoute ledger/bad');
    expect((await bed.ask({ path: '/' })).status).to.equal(200);
    expect(bed.plane.operatorView().rejected()?.problem).to.equal(reason);
  });

  it('serves many requests on one stream', async () => {
    await bed.addEndpoint('ledger-0', echo('ledger-0'));
    bed.push();
    const port = await bed.door();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let round = 0; round < 20; round += 1) {
      const status = await new Promise((resolve, reject) => {
        http
          .get({ agent, port, path: `/${round}` }, (response) => response.resume().on('end', () => resolve(response.statusCode)))
          .on('error', reject);
      });
      expect(status).to.equal(200);
    }
    agent.destroy();
    expect(bed.asked.length).to.equal(1);
  });
});
