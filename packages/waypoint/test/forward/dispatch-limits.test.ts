import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { text } from 'node:stream/consumers';
import { answered, kindOf, outlierDetection } from './dispatched.ts';
import { streamOf } from '../../src/exchange/answer-body.ts';
import type { Breaker } from '../../src/forward/breaker.ts';
import { Bench, resilience, settled } from './fake-upstream.ts';
import type { Act, Spec } from './fake-upstream.ts';

const { retry, timeouts, limits } = resilience();

describe('Dispatcher, before an attempt', () => {
  let bench: Bench;

  beforeEach(() => (bench = new Bench()));
  afterEach(() => bench[Symbol.dispose]());

  describe('limits', () => {
    const hanging = async (count: number, policy: Parameters<typeof resilience>[0] = {}): Promise<() => void> => {
      bench.upstream.behave = () => 'hang';
      const caller = new AbortController();
      for (let request = 0; request < count; request++) void bench.dispatch({ policy }, caller.signal);
      await settled();
      return () => caller.abort();
    };

    it('refuses more requests than it may have, and blames nobody', async () => {
      const policy = { limits: { ...limits, maxRequests: 2 }, outlierDetection: { ...outlierDetection, consecutiveLocal: 1 } };
      const release = await hanging(2, policy);
      const result = await bench.result({ policy });
      expect(result).to.include({ kind: 'failed', flag: 'UO', outcome: 'not-dispatched' });
      expect(result).to.have.nested.property('failure.headers').that.deep.equals({ 'x-envoy-overloaded': 'true' });
      expect(bench.dispatcher.status).to.include({ active: 2, ejected: 0 });
      release();
      await settled();
      expect(bench.dispatcher.active).to.equal(0);
    });

    it('lets requests wait for a connection, and refuses those beyond', async () => {
      const policy = { limits: { ...limits, maxConnections: 1, maxPending: 1 } };
      const release = await hanging(1, policy);
      const waiting = bench.dispatch({ policy });
      await settled();
      expect(bench.dispatcher.status).to.include({ connections: 1, pending: 1 });
      expect(kindOf(await bench.result({ policy }))).to.equal('overflow');
      bench.upstream.behave = () => ({ status: 200 });
      release();
      const { answer } = answered(await waiting);
      await text(streamOf(answer.body));
      await settled();
      expect(bench.dispatcher.status).to.include({ connections: 0, pending: 0, active: 0 });
    });

    it('does not let a caller that is gone keep its place', async () => {
      const policy = { limits: { ...limits, maxConnections: 1 } };
      const release = await hanging(1, policy);
      const caller = new AbortController();
      const waiting = bench.dispatch({ policy }, caller.signal);
      await settled();
      caller.abort();
      expect(kindOf(await waiting)).to.equal('caller-gone');
      expect(bench.dispatcher.status.pending).to.equal(0);
      release();
    });

    it('limits retries under way', async () => {
      let attempts = 0;
      bench.upstream.behave = () => (++attempts <= 3 ? { fail: 'connect-failure' } : 'hang');
      const policy = { limits: { ...limits, maxRetries: 2 }, retry: { ...retry, backoff: { baseMs: 0, maxMs: 0 } } };
      const results = [1, 2, 3].map(() => bench.dispatch({ policy }));
      await bench.advance(20);
      expect(bench.dispatcher.status.retries).to.equal(2);
      const first = await Promise.race(results);
      expect(kindOf(first)).to.equal('connect-failure');
      expect(first).to.include({ flag: 'UO' });
    });

    it('counts upgraded streams apart', async () => {
      const policy = { limits: { ...limits, maxUpgraded: 1, maxRequests: 1 } };
      const lease = bench.dispatcher.lease(bench.request({ policy }));
      if (lease.kind === 'failed') throw new Error(lease.failure.detail);
      lease.recvAnswer(101);
      expect(bench.dispatcher.lease(bench.request({ policy }))).to.include({ kind: 'failed', flag: 'UO' });
      expect(kindOf(await bench.result({ policy }))).to.equal('200');
      lease.end();
      expect(bench.dispatcher.status.upgraded).to.equal(0);
      expect(bench.dispatcher.status.endpoints.every(({ inFlight }) => inFlight <= 1)).to.equal(true);
    });
  });

  describe('breaker', () => {
    const circuitBreaker = { errorThresholdPercent: 50, volumeThreshold: 5, windowMs: 10_000, openMs: 1_000, maxOpenMs: 60_000 };

    it('refuses without a failure of anybody while it is open, for its route only', async () => {
      bench.upstream.behave = () => ({ status: 500 });
      for (let request = 0; request < 5; request++)
        streamOf(answered(await bench.result({ policy: { circuitBreaker } })).answer.body).resume();
      await settled();
      const result = await bench.result({ policy: { circuitBreaker } });
      expect(kindOf(result)).to.equal('breaker-open');
      expect(result).to.include({ outcome: 'not-dispatched', flag: 'UO' });
      expect(kindOf(await bench.result({ policy: { circuitBreaker }, route: 'another' }))).to.equal('500');
      expect(bench.dispatcher.status.breakers.map(({ state }) => state)).to.deep.equal(['open', 'closed']);
    });

    it('gets every ticket back, with the verdict that the attempt deserves', async () => {
      const upgraded = (bench: Bench, answer?: number): void => {
        const lease = bench.dispatcher.lease(bench.request({ policy: { circuitBreaker } }));
        if (lease.kind === 'failed') throw new Error(lease.failure.detail);
        if (answer !== undefined) lease.recvAnswer(answer);
        lease.end();
      };
      const noRetry = { ...retry, attempts: 0 };
      const table: readonly { act: Act; spec?: Spec; verdicts: readonly string[]; use?: (bench: Bench) => void }[] = [
        { act: { status: 200 }, verdicts: ['success'] },
        { act: { status: 503 }, verdicts: ['failure'] },
        { act: { status: 404 }, verdicts: ['neutral'] },
        { act: { status: 429 }, verdicts: ['throttled'] },
        { act: { status: 503, headers: { 'x-envoy-ratelimited': 'true' } }, verdicts: ['throttled'] },
        { act: { fail: 'connect-failure' }, verdicts: ['failure'] },
        { act: { fail: 'endpoint-refused' }, verdicts: ['neutral'] },
        { act: { status: 200 }, spec: { endpoints: [] }, verdicts: ['neutral'] },
        {
          act: { status: 200 },
          spec: { policy: { limits: { ...limits, maxConnections: 0, maxPending: 0 } } },
          verdicts: ['neutral'],
        },
        { act: { status: 200 }, verdicts: ['success'], use: (bench) => upgraded(bench, 101) },
        { act: { status: 200 }, verdicts: ['neutral'], use: (bench) => upgraded(bench) },
      ];
      for (const { act, spec, verdicts, use } of table) {
        const reported: string[] = [];
        const breaker: Breaker = {
          status: { state: 'closed', sinceMs: 0, attempts: 0, failures: 0 },
          admit: () => ({ probe: true }),
          report: (_ticket, verdict) => void reported.push(verdict),
          [Symbol.dispose]: () => {},
        };
        using bench = new Bench({ createBreaker: () => breaker });
        bench.upstream.acts = [act];
        if (use === undefined) {
          const result = await bench.result({ ...spec, policy: { circuitBreaker, retry: noRetry, ...spec?.policy } });
          if (result.kind === 'answer') streamOf(result.answer.body).resume();
          await settled();
        } else use(bench);
        expect(reported, JSON.stringify(act)).to.deep.equal(verdicts);
      }
    });

    it('trap 2: being full does not open it', async () => {
      const policy = { circuitBreaker, limits: { ...limits, maxRequests: 0 } };
      for (let request = 0; request < 50; request++) await bench.result({ policy });
      const pending = { circuitBreaker, limits: { ...limits, maxConnections: 0, maxPending: 0 } };
      for (let request = 0; request < 50; request++) await bench.result({ policy: pending });
      expect(bench.dispatcher.status.breakers).to.satisfy((breakers: { state: string; attempts: number }[]) =>
        breakers.every(({ state, attempts }) => state === 'closed' && attempts === 0),
      );
    });

    it('trap 3: one attempt’s timeout ends no other', async () => {
      bench.upstream.acts = ['hang', 'hang'];
      const first = bench.dispatch({ policy: { circuitBreaker, timeouts: { ...timeouts, backendRequestMs: 100 } } });
      void bench.dispatch({ policy: { circuitBreaker } });
      await settled();
      await bench.advance(200);
      expect(kindOf(await first)).to.equal('per-try-timeout');
      expect(bench.upstream.sent.map(({ signal }) => signal.aborted)).to.deep.equal([true, false]);
    });

    it('keeps what it learned when a configuration of the same content comes', async () => {
      bench.upstream.behave = () => ({ status: 500 });
      for (let request = 0; request < 5; request++) {
        streamOf(answered(await bench.result({ policy: { circuitBreaker: { ...circuitBreaker } } })).answer.body).resume();
      }
      await settled();
      expect(kindOf(await bench.result({ policy: { circuitBreaker: { ...circuitBreaker } } }))).to.equal('breaker-open');
      bench.backends.retain((_backend, route) => route === undefined);
      expect(bench.dispatcher.status.breakers).to.deep.equal([]);
    });
  });
});
