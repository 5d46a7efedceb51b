import { expect } from 'chai';
import { describe, it } from 'mocha';
import { mock } from 'node:test';
import { defaultResilience } from '@clearmesh/shared/model/l7/resilience';
import { streamOf } from '../../src/exchange/answer-body.ts';
import { forwardPolicy } from '../../src/forward/forward-policy.ts';
import type { ResiliencePolicy } from '@clearmesh/shared/model/l7/resilience';
import type { Act } from './fake-upstream.ts';
import { Bench, resilience, settled } from './fake-upstream.ts';

/** Numbers of a linear congruential generator (Numerical Recipes): a test that fails, fails again. */
function seeded(seed: number): { unit(): number; hex(): string } {
  let state = seed;
  return {
    unit: () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32,
    hex: () => '',
  };
}

/** A thousand requests a second for five seconds to five replicas, of which the first does as `failing` says. */
async function simulate(policy: Partial<ResiliencePolicy>, failing: () => Act | Promise<Act>, method = 'GET') {
  const random = seeded(42);
  using bench = new Bench({ endpoints: 5, random });
  const forward = forwardPolicy(resilience(policy));
  const later = (ms: number, act: Act): Promise<Act> => new Promise((resolve) => bench.clock.after(ms, () => resolve(act)));
  bench.upstream.behave = ({ endpoint }) =>
    endpoint.name === 'ledger-0' ? failing() : later(5 + 10 * random.unit(), { status: 200 });
  const good = { early: 0, late: 0 };
  const all = { early: 0, late: 0 };
  const pending: Promise<void>[] = [];
  for (let ms = 0; ms < 5_000; ms++) {
    const when = ms < 1_000 ? 'early' : 'late';
    const request = { ...bench.request({ method }), policy: forward };
    all[when] += 1;
    pending.push(
      bench.dispatcher.dispatch(request, new AbortController().signal).then((result) => {
        if (result.kind === 'answer') streamOf(result.answer.body).resume();
        if (result.kind === 'answer' && result.answer.status < 500) good[when] += 1;
      }),
    );
    bench.clock.advance(1);
    await settled();
  }
  await bench.advance(2_000, 10);
  await Promise.all(pending);
  const toFailing = bench.upstream.sent.filter(({ endpoint }) => endpoint.name === 'ledger-0').length;
  return { early: good.early / all.early, late: good.late / all.late, toFailing, active: bench.dispatcher.active };
}

const outlierDetection = {
  consecutive5xx: 5,
  consecutiveLocal: 5,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  panicPercent: 50,
  panic: 'spread',
} as const;
const circuitBreaker = { errorThresholdPercent: 50, volumeThreshold: 20, windowMs: 10_000, openMs: 1_000, maxOpenMs: 60_000 };

describe('one failing replica of five, at 1 000 requests a second', function () {
  this.timeout(60_000);

  const unsafe: Partial<ResiliencePolicy> = {};
  const all: Partial<ResiliencePolicy> = {
    outlierDetection,
    circuitBreaker,
    retry: { ...defaultResilience.retry, on: ['connect-failure', '5xx'] },
  };
  const table = [
    { title: 'answers 500 at once, no policy, payments', policy: unsafe, failing: { status: 500 }, method: 'POST' },
    {
      title: 'answers 500 at once, outlier detection, payments',
      policy: { outlierDetection },
      failing: { status: 500 },
      method: 'POST',
    },
    {
      title: 'cannot be connected with, no policy, payments',
      policy: unsafe,
      failing: { fail: 'connect-failure' },
      method: 'POST',
    },
    { title: 'resets, everything switched on, reads', policy: all, failing: { fail: 'reset' }, method: 'GET' },
  ] as const;
  for (const { title, policy, failing, method } of table) {
    it(`${title}: at least 99.9 % succeed after the first second`, async () => {
      mock.timers.enable({ apis: ['setTimeout'] });
      try {
        const { late, toFailing, active } = await simulate(policy, () => failing, method);
        expect(late).to.be.at.least(0.999);
        expect(toFailing).to.be.below(50);
        expect(active).to.equal(0);
      } finally {
        mock.timers.reset();
      }
    });
  }
});
