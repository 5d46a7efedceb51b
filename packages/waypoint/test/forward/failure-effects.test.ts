import { expect } from 'chai';
import { describe, it } from 'mocha';
import { failureTable } from '../../src/exchange/failure.ts';
import type { FailureKind, Outcome } from '../../src/exchange/failure.ts';
import { forwardPolicy } from '../../src/forward/forward-policy.ts';
import type { RetryCondition } from '@clearmesh/shared/model/l7/resilience';
import { decideRetry } from '../../src/forward/retry.ts';
import { effectOfFailure } from '../../src/forward/verdict.ts';
import { Bench, resilience } from './fake-upstream.ts';

const everything: readonly RetryCondition[] = [
  'connect-failure',
  'refused-stream',
  'reset-before-request',
  'reset',
  'per-try-timeout',
  'gateway-error',
  '5xx',
  'retriable-4xx',
];

type Retried = 'any method' | 'idempotent methods' | 'never';
type Expected = readonly [retried: Retried, outcome: Outcome, breaker: 'failure' | 'neutral', outlier: 'local' | 'neutral'];

/** What each failure of an attempt does when the policy asks for every retry there is. */
const table: Readonly<Record<FailureKind, Expected>> = {
  'bad-request': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'body-too-large': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'headers-too-large': ['never', 'not-dispatched', 'neutral', 'neutral'],
  draining: ['never', 'not-dispatched', 'neutral', 'neutral'],
  overloaded: ['never', 'not-dispatched', 'neutral', 'neutral'],
  late: ['never', 'not-dispatched', 'neutral', 'neutral'],
  'jwt-invalid': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'jwks-unavailable': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'policy-denied': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'opa-denied': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'pdp-unavailable': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'rate-limited': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'rate-limit-unavailable': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'idempotency-key-missing': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'idempotency-key-invalid': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'idempotency-mismatch': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'idempotency-in-flight': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'idempotency-unknown': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'idempotency-unavailable': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'fault-injected': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'no-route': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'invalid-backend': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'no-healthy-endpoint': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'breaker-open': ['never', 'not-dispatched', 'neutral', 'neutral'],
  overflow: ['never', 'not-dispatched', 'neutral', 'neutral'],
  'connect-failure': ['any method', 'not-dispatched', 'failure', 'local'],
  'endpoint-refused': ['never', 'not-dispatched', 'neutral', 'neutral'],
  'refused-stream': ['any method', 'not-dispatched', 'failure', 'local'],
  'reset-before-request': ['any method', 'not-dispatched', 'failure', 'local'],
  reset: ['idempotent methods', 'unknown', 'failure', 'local'],
  'per-try-timeout': ['idempotent methods', 'unknown', 'failure', 'local'],
  'request-timeout': ['never', 'unknown', 'failure', 'local'],
  'idle-timeout': ['never', 'unknown', 'failure', 'local'],
  'bad-answer': ['idempotent methods', 'unknown', 'failure', 'local'],
  'reset-in-answer': ['never', 'unknown', 'failure', 'local'],
  'caller-gone': ['never', 'unknown', 'neutral', 'neutral'],
};

const kinds = Object.keys(failureTable) as FailureKind[];
const rules = forwardPolicy(resilience({ retry: { ...resilience().retry, on: everything } })).retry;
const facts = { attempts: 1, replayable: true, remainingMs: Infinity, budget: true, slot: true, nowMs: 0, unit: 0 };

function retriedOf(kind: FailureKind): Retried {
  const end = { kind: 'failed', failure: kind } as const;
  const [safe, unsafe] = [true, false].map((repeatable) => decideRetry(end, rules, { ...facts, repeatable }).kind);
  if (unsafe === 'retry') return 'any method';
  return safe === 'retry' ? 'idempotent methods' : 'never';
}

describe('every failure of an attempt (failure table, B3, B6, B7, C10)', () => {
  for (const kind of kinds) {
    const [retried, outcome, breaker, outlier] = table[kind];

    it(`${kind}: retried ${retried}, outcome ${outcome}, breaker ${breaker}, outlier ${outlier}`, async () => {
      expect(retriedOf(kind)).to.equal(retried);
      const effect = effectOfFailure(kind);
      expect([effect.breaker, effect.outlier]).to.deep.equal([breaker, outlier]);
      expect(effect.load).to.equal(breaker === 'failure' ? 'penalty' : 'none');
      using bench = new Bench();
      bench.upstream.acts = [{ fail: kind }];
      const result = await bench.result({ method: 'POST', policy: { retry: { ...resilience().retry, on: everything } } });
      expect(result).to.include({ kind: 'failed', outcome });
      expect(bench.upstream.sent).to.have.length(retried === 'any method' ? 2 : 1);
    });
  }

  it('never says of a request that was dispatched once that it was not, whatever came after', async () => {
    using bench = new Bench();
    bench.upstream.acts = [{ fail: 'reset' }, { fail: 'connect-failure' }];
    const retry = { ...resilience().retry, on: everything };
    expect(await bench.result({ policy: { retry } })).to.include({ outcome: 'unknown', attempts: 2 });
  });

  it('says that nothing was dispatched when every attempt certainly did nothing', async () => {
    using bench = new Bench();
    bench.upstream.acts = [{ fail: 'refused-stream' }, { fail: 'connect-failure' }];
    expect(await bench.result({ method: 'POST' })).to.include({ outcome: 'not-dispatched', attempts: 2, flag: 'URX' });
  });
});
