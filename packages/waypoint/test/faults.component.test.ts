import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { FaultExperiment } from '@clearmesh/shared/model/l7/fault';
import { ask, ask2 } from './http-client.ts';
import { ledgerConfiguration } from './ledger-configuration.ts';
import type { LedgerSpec } from './ledger-configuration.ts';
import { namedEcho } from './named-echo.ts';
import type { NamedEcho } from './named-echo.ts';
import { WaypointBed, ledger } from './waypoint-bed.ts';

const key = 'FaultExperiment ledger/drill';

function drill(changes: Partial<FaultExperiment>): FaultExperiment {
  const nowMs = Date.now();
  return {
    key,
    startsAtMs: nowMs - 1_000,
    endsAtMs: nowMs + 60_000,
    owner: 'a@bank',
    approver: 'b@bank',
    matches: [],
    callers: [],
    percent: 100,
    maxActive: 10,
    reset: false,
    ...changes,
  };
}

describe('drills at a waypoint', () => {
  let bed: WaypointBed;
  let app: NamedEcho;

  beforeEach(async () => {
    bed = await WaypointBed.open();
    app = namedEcho('ledger-0', (response) => response.end('x'.repeat(20_000)));
    await bed.addEndpoint('ledger-0', app.server);
  });

  afterEach(() => bed[Symbol.asyncDispose]());

  async function run(changes: Partial<FaultExperiment>, spec: LedgerSpec = {}): Promise<number> {
    bed.push(...ledgerConfiguration({ ...spec, faults: [drill(changes)] }));
    return bed.door();
  }

  it('delay, and say so in answer, log and metric', async () => {
    const port = await run({ delayMs: 150 });
    const startMs = performance.now();
    const reply = await ask(port);
    expect(performance.now() - startMs).to.be.greaterThan(140);
    expect(reply.status).to.equal(200);
    expect(reply.headers).to.include({ 'x-mesh-fault': key });
    expect(await bed.line(String(reply.headers['x-request-id']))).to.include({ status: 200, flags: 'DI', fault_id: key });
    expect(await bed.metrics.registry.metrics()).to.match(/faults?_[^{]*\{[^}]*delay[^}]*\} 1/);
  });

  it('abort without asking the service', async () => {
    const port = await run({ abort: { status: 418 } });
    const reply = await ask(port);
    expect(reply.status).to.equal(418);
    expect(reply.headers).to.include({
      'x-mesh-fault': key,
      'x-mesh-denied': 'fault-injected',
      'x-mesh-outcome': 'not-dispatched',
    });
    expect(app.seen).to.deep.equal([]);
    expect(await bed.line(String(reply.headers['x-request-id']))).to.include({
      status: 418,
      flags: 'FI',
      fault_id: key,
      attempts: 0,
    });
  });

  it('abort gRPC in its own words', async () => {
    const port = await run({ abort: { status: 503, grpcStatus: 8 } }, { protocol: 'GRPC' });
    const { headers } = await ask2(port, { ':method': 'POST', 'content-type': 'application/grpc' }, Buffer.alloc(5));
    expect(headers).to.include({ ':status': 200, 'grpc-status': '8', 'x-mesh-fault': key });
  });

  it('throttle the answer', async () => {
    const port = await run({ throttleKibPerSecond: 64 });
    const startMs = performance.now();
    const reply = await ask(port);
    expect(reply.body.length).to.equal(20_000);
    expect(performance.now() - startMs).to.be.within(200, 1_500);
    expect(reply.headers).to.include({ 'x-mesh-fault': key });
  });

  it('reset the connection', async () => {
    const port = await run({ reset: true });
    const error = await ask(port).then(
      () => undefined,
      (thrown: NodeJS.ErrnoException) => thrown,
    );
    expect(error?.code).to.equal('ECONNRESET');
    const second = await ask2(port).then(
      () => undefined,
      (thrown: NodeJS.ErrnoException) => thrown,
    );
    expect(second?.code).to.equal('ERR_HTTP2_STREAM_ERROR');
    expect(app.seen).to.deep.equal([]);
    expect(bed.log.map(({ flags, status, fault_id }) => [flags, status, fault_id])).to.deep.equal([
      ['FI', 0, key],
      ['FI', 0, key],
    ]);
  });

  const spared: readonly (readonly [what: string, changes: Partial<FaultExperiment>, spec: LedgerSpec])[] = [
    ['production', {}, { environment: 'production' }],
    ['money movement', {}, { resilience: { class: 'money-movement' } }],
    ['an experiment that is over', { startsAtMs: Date.now() - 10_000, endsAtMs: Date.now() - 1 }, {}],
    ['an experiment that its owner approved', { approver: 'a@bank' }, {}],
    ['other callers', { callers: ['spiffe://cluster.local/ns/else/sa/else'] }, {}],
    ['no share at all', { percent: 0 }, {}],
  ];
  for (const [what, changes, spec] of spared) {
    it(`spare ${what}`, async () => {
      const port = await run({ abort: { status: 418 }, ...changes }, spec);
      const reply = await ask(port, { headers: { 'x-mesh-fault': key, 'x-envoy-fault-abort-request': '418' } });
      expect(reply.status).to.equal(200);
      expect(reply.headers).to.not.have.property('x-mesh-fault');
    });
  }

  it('count against no breaker and no endpoint', async () => {
    const circuitBreaker = { errorThresholdPercent: 1, volumeThreshold: 1, windowMs: 10_000, openMs: 60_000, maxOpenMs: 60_000 };
    const resilience = { circuitBreaker } as const;
    const port = await run({ abort: { status: 503 } }, { resilience });
    for (let round = 0; round < 10; round += 1) expect((await ask(port)).status).to.equal(503);
    bed.push(...ledgerConfiguration({ resilience }));
    expect((await ask(port)).status).to.equal(200);
    const breakers = bed.plane.operatorView().status.breakers() as Record<string, { state: string }[]>;
    expect(breakers[`${ledger.key}:8080`]?.map(({ state }) => state)).to.deep.equal(['closed']);
  });
});
