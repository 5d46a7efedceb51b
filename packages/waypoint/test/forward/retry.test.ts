import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { RetryCondition } from '@clearmesh/shared/model/l7/resilience';
import type { FailureKind } from '../../src/exchange/failure.ts';
import { forwardPolicy } from '../../src/forward/forward-policy.ts';
import { decideRetry, mayRepeat } from '../../src/forward/retry.ts';
import type { AttemptEnd, RetryFacts } from '../../src/forward/retry.ts';
import { backoffMs, grpcPushback, retryAfterMs, spreadMs } from '../../src/forward/retry-wait.ts';
import { resilience } from './fake-upstream.ts';

const facts: RetryFacts = {
  attempts: 1,
  repeatable: true,
  replayable: true,
  remainingMs: Infinity,
  budget: true,
  slot: true,
  nowMs: Date.UTC(2026, 0, 1),
  unit: 0.5,
};

const answer = (status: number, headers: Record<string, string> = {}, grpcStatus?: number): AttemptEnd => ({
  kind: 'answer',
  status,
  headers,
  grpcStatus,
});
const failed = (failure: FailureKind): AttemptEnd => ({ kind: 'failed', failure });

function rulesOn(on: readonly RetryCondition[], statusCodes: readonly number[] = [], attempts = 2) {
  return forwardPolicy(resilience({ retry: { ...resilience().retry, on, statusCodes, attempts } })).retry;
}

function decided(
  end: AttemptEnd,
  on: readonly RetryCondition[],
  changes: Partial<RetryFacts> = {},
  statusCodes: readonly number[] = [],
): string {
  const decision = decideRetry(end, rulesOn(on, statusCodes), { ...facts, ...changes });
  return decision.kind === 'retry'
    ? `${decision.condition} after ${decision.afterMs}`
    : `${decision.reason} ${decision.flag ?? ''}`.trim();
}

describe('decideRetry (B3)', () => {
  type Row = readonly [
    title: string,
    end: AttemptEnd,
    on: readonly RetryCondition[],
    gives: string,
    changes?: Partial<RetryFacts>,
    codes?: readonly number[],
  ];
  const table: readonly Row[] = [
    ['502 for gateway-error', answer(502), ['gateway-error'], 'gateway-error after 12.5'],
    ['500 not for gateway-error', answer(500), ['gateway-error'], 'not-retriable'],
    ['500 for 5xx', answer(500), ['5xx'], '5xx after 12.5'],
    ['no answer for 5xx', failed('reset'), ['5xx'], '5xx after 12.5'],
    ['409 for retriable-4xx', answer(409), ['retriable-4xx'], 'retriable-4xx after 12.5'],
    ['not 404 for retriable-4xx', answer(404), ['retriable-4xx'], 'not-retriable'],
    ['a listed status', answer(425), ['retriable-status-codes'], 'retriable-status-codes after 12.5', {}, [425]],
    ['not a listed status without its condition', answer(425), [], 'not-retriable', {}, [425]],
    ['no answer that is good', answer(200), ['5xx', 'gateway-error'], 'not-retriable'],
    ['a per-try timeout for 5xx', failed('per-try-timeout'), ['5xx'], '5xx after 12.5'],
    ['a per-try timeout for reset', failed('per-try-timeout'), ['reset'], 'reset after 12.5'],
    ['no per-try timeout by default', failed('per-try-timeout'), ['connect-failure'], 'not-retriable'],
    ['gRPC UNAVAILABLE', answer(200, {}, 14), ['grpc-unavailable'], 'grpc-unavailable after 12.5'],
    ['gRPC CANCELLED', answer(200, {}, 1), ['grpc-cancelled'], 'grpc-cancelled after 12.5'],
    ['gRPC DEADLINE_EXCEEDED', answer(200, {}, 4), ['grpc-deadline-exceeded'], 'grpc-deadline-exceeded after 12.5'],
    ['gRPC RESOURCE_EXHAUSTED', answer(200, {}, 8), ['grpc-resource-exhausted'], 'grpc-resource-exhausted after 12.5'],
    ['gRPC INTERNAL', answer(200, {}, 13), ['grpc-internal'], 'grpc-internal after 12.5'],
    ['no gRPC PERMISSION_DENIED', answer(200, {}, 7), ['grpc-unavailable', 'grpc-internal', '5xx'], 'not-retriable'],
    ['an answer only where it may be repeated', answer(503), ['5xx'], 'unsafe', { repeatable: false }],
    ['a reset only where it may be repeated', failed('reset'), ['reset'], 'unsafe', { repeatable: false }],
    [
      'a refused stream with any method',
      failed('refused-stream'),
      ['refused-stream'],
      'refused-stream after 12.5',
      { repeatable: false },
    ],
    ['nothing whose body is gone', failed('reset'), ['reset'], 'body', { replayable: false }],
    ['nothing beyond the attempts', answer(503), ['5xx'], 'attempts URX', { attempts: 3 }],
    ['nothing the budget has no room for', answer(503), ['5xx'], 'budget UO', { budget: false }],
    ['nothing beyond the concurrent retries', answer(503), ['5xx'], 'overflow UO', { slot: false }],
    ['nothing that cannot be done in time', answer(503), ['5xx'], 'deadline URX', { remainingMs: 12.5 }],
    ['what fits into the time', answer(503), ['5xx'], '5xx after 12.5', { remainingMs: 12.6 }],
    ['nothing that says it is rate limited', answer(503, { 'x-envoy-ratelimited': 'true' }), ['5xx'], 'rate-limited'],
    ['503 after the time it asks for and up to half more', answer(503, { 'retry-after': '2' }), ['5xx'], '5xx after 2500'],
    ['502 without regard to Retry-After', answer(502, { 'retry-after': '2' }), ['5xx'], '5xx after 12.5'],
    [
      '503 not if it asks for more than there is',
      answer(503, { 'retry-after': '2' }),
      ['5xx'],
      'deadline URX',
      { remainingMs: 1_000 },
    ],
    [
      'gRPC after its pushback',
      answer(200, { 'grpc-retry-pushback-ms': '100' }, 14),
      ['grpc-unavailable'],
      'grpc-unavailable after 125',
    ],
    ['gRPC not after a negative pushback', answer(200, { 'grpc-retry-pushback-ms': '-1' }, 14), ['grpc-unavailable'], 'pushback'],
  ];
  for (const [title, end, on, gives, changes, codes] of table) {
    it(`retries ${title}`, () => expect(decided(end, on, changes, codes)).to.equal(gives));
  }

  it('retries nothing unsafe but what certainly was not processed, whatever the policy asks for', () => {
    const all: readonly RetryCondition[] = [
      ...(['connect-failure', 'refused-stream', 'reset-before-request', 'reset', 'per-try-timeout', 'gateway-error'] as const),
      ...(['5xx', 'retriable-4xx', 'retriable-status-codes', 'grpc-cancelled', 'grpc-unavailable', 'grpc-internal'] as const),
    ];
    const ends = fc.oneof(
      fc
        .record({ status: fc.integer({ min: 100, max: 599 }), grpc: fc.option(fc.nat(16), { nil: undefined }) })
        .map(({ status, grpc }) => answer(status, {}, grpc)),
      fc
        .constantFrom<FailureKind>(
          'reset',
          'per-try-timeout',
          'bad-answer',
          'request-timeout',
          'idle-timeout',
          'caller-gone',
          'reset-in-answer',
        )
        .map(failed),
    );
    fc.assert(
      fc.property(ends, fc.subarray([...all]), (end, on) => {
        const decision = decideRetry(end, rulesOn(on, [409, 429, 503]), { ...facts, repeatable: false });
        expect(decision.kind).to.equal('stop');
      }),
    );
  });
});

describe('mayRepeat (C1)', () => {
  const policy = { grpcIdempotent: new Set(['/ledger.Ledger/Balance']), nativeKeyHeader: 'idempotency-key' };
  const key = { 'idempotency-key': 'k1' };
  type Row = { method: string; may: boolean; headers?: Record<string, string>; grpc?: boolean; path?: string; title?: string };
  const table: readonly Row[] = [
    ...['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PUT', 'DELETE'].map((method) => ({ method, may: true })),
    ...['POST', 'PATCH', 'CONNECT', 'TRANSFER', 'get'].map((method) => ({ method, may: false })),
    { method: 'POST', headers: key, may: true, title: 'POST with a key that the backend knows' },
    { method: 'POST', headers: { 'idempotency-key': '' }, may: false, title: 'POST with an empty key' },
    { method: 'POST', grpc: true, path: '/ledger.Ledger/Balance', may: true, title: 'a gRPC method the policy names' },
    { method: 'POST', grpc: true, path: '/ledger.Ledger/Book', headers: key, may: false, title: 'another gRPC method' },
  ];
  for (const { method, may, headers = {}, grpc = false, path = '/', title = method } of table) {
    it(`is ${may} for ${title}`, () => expect(mayRepeat({ method, path, headers, grpc }, policy)).to.equal(may));
  }

  it('takes a key for nothing where the waypoint itself keeps the answers', () => {
    const idempotency = { mode: 'key', header: 'idempotency-key' } as never;
    expect(
      mayRepeat({ method: 'POST', path: '/', headers: key, grpc: false }, forwardPolicy(resilience({ idempotency }))),
    ).to.equal(false);
  });
});

describe('waiting', () => {
  it('doubles the range of the back-off up to its maximum', () => {
    const backoff = { baseMs: 25, maxMs: 250 };
    expect([1, 2, 3, 4, 5, 60].map((retry) => backoffMs(backoff, retry, 0.999_999))).to.satisfy((waits: number[]) =>
      [25, 75, 175, 250, 250, 250].every((limit, index) => Math.abs((waits[index] ?? 0) - limit) < 0.01),
    );
    expect(backoffMs(backoff, 3, 0)).to.equal(0);
  });

  const now = Date.UTC(1994, 10, 6, 8, 49, 27);
  const table = [
    { value: '10', gives: 10_000 },
    { value: ' 0 ', gives: 0 },
    { value: '999999', gives: 300_000 },
    { value: 'Sun, 06 Nov 1994 08:49:37 GMT', gives: 10_000 },
    { value: 'Sunday, 06-Nov-94 08:49:37 GMT', gives: 10_000 },
    { value: 'Sun Nov  6 08:49:37 1994', gives: 10_000 },
    { value: 'Sun, 06 Nov 1994 08:00:00 GMT', gives: 0 },
    { value: '-1', gives: undefined },
    { value: '1.5', gives: undefined },
    { value: 'soon', gives: undefined },
    { value: '', gives: undefined },
    { value: 'Sun, 99 Nov 1994 08:49:37 GMT', gives: undefined },
  ];
  for (const { value, gives } of table) {
    it(`reads Retry-After "${value}" as ${gives}`, () =>
      expect(retryAfterMs(503, { 'retry-after': value }, now)).to.equal(gives));
  }

  it('heeds Retry-After of 429 and 503 only', () => {
    expect([429, 503, 500, 301].map((status) => retryAfterMs(status, { 'retry-after': '1' }, now))).to.deep.equal([
      1_000,
      1_000,
      undefined,
      undefined,
    ]);
  });

  it('never throws and never waits for more than 300 s and a half, whatever the field says', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const asked = retryAfterMs(503, { 'retry-after': value }, now) ?? 0;
        const pushback = grpcPushback({ 'grpc-retry-pushback-ms': value });
        for (const ms of [asked, pushback === 'never' || pushback === undefined ? 0 : pushback]) {
          expect(spreadMs(ms, 0.999)).to.be.within(0, 450_000);
        }
      }),
    );
  });
});
