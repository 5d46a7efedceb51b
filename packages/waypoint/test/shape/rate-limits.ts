/** Limits for the tests: ten a second, burst ten, for everybody together. */
import type { RateLimit, RateLimitPolicy } from '@clearmesh/shared/model/l7/rate-limit';
import { compileRateLimits } from '../../src/shape/rate-limit-rules.ts';
import type { CompiledRateLimits } from '../../src/shape/rate-limit-rules.ts';

export function limit(overrides: Partial<RateLimit> = {}): RateLimit {
  return {
    name: 'total',
    scope: 'local',
    matches: [],
    key: [],
    requests: 10,
    windowMs: 1_000,
    burst: 10,
    shadow: false,
    ...overrides,
  };
}

export function policy(limits: readonly RateLimit[], overrides: Partial<RateLimitPolicy> = {}): RateLimitPolicy {
  return { key: 'RateLimitPolicy bank/limits', limits, onStoreFailure: 'allow', ...overrides };
}

/** Matches are told apart by their method only. */
export function compiled(...policies: readonly RateLimitPolicy[]): CompiledRateLimits {
  const options = { service: 'bank/ledger' };
  return compileRateLimits(
    policies,
    options,
    (matches) =>
      ({ method }) =>
        matches.some((match) => match.method === method),
  );
}
