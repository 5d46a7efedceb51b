/** A ResiliencePolicy and what a route says besides, prepared once for every request that follows them. */
import { defaultResilience } from '@clearmesh/shared/model/l7/resilience';
import type {
  CircuitBreakerPolicy,
  Limits,
  LoadBalancingPolicy,
  OutlierPolicy,
  ResiliencePolicy,
  RetryCondition,
} from '@clearmesh/shared/model/l7/resilience';
import type { RouteRule } from '@clearmesh/shared/model/l7/route';
import type { BudgetPolicy } from './budget.ts';

export type RetryRules = {
  /** Attempts after the first. */
  readonly attempts: number;
  readonly on: ReadonlySet<RetryCondition>;
  readonly statusCodes: ReadonlySet<number>;
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
};

export type ForwardPolicy = {
  /** The whole exchange, milliseconds; Infinity: no limit. */
  readonly requestMs: number;
  /** One attempt until its head, milliseconds; Infinity: no limit of its own. */
  readonly perTryMs: number;
  readonly idleMs: number;
  readonly minServiceMs: number;
  readonly retry: RetryRules;
  readonly budget: BudgetPolicy;
  readonly maxReplayBytes: number;
  /** A larger request body ends the exchange; Infinity: any. */
  readonly maxRequestBytes: number;
  readonly grpcIdempotent: ReadonlySet<string>;
  /** The header whose presence makes unsafe methods repeatable: the backend itself deduplicates by it. */
  readonly nativeKeyHeader: string | undefined;
  readonly breaker: (CircuitBreakerPolicy & { readonly probeMs: number }) | undefined;
  readonly outlier: OutlierPolicy | undefined;
  readonly limits: Limits;
  readonly loadBalancing: LoadBalancingPolicy;
};

/** The shorter of the policy's and the route's times; the route's own word on retries. */
export function forwardPolicy(
  resilience: ResiliencePolicy = defaultResilience,
  route: Partial<Pick<RouteRule, 'timeouts' | 'retry'>> = {},
): ForwardPolicy {
  const { timeouts, retry, idempotency, circuitBreaker, limits } = resilience;
  const requestMs = shorter(timeouts.requestMs, route.timeouts?.requestMs);
  const perTryMs = shorter(timeouts.backendRequestMs, route.timeouts?.backendRequestMs);
  const probeMs = 1_000 + Math.min(perTryMs, requestMs, timeouts.idleMs);
  return {
    requestMs,
    perTryMs,
    idleMs: timeouts.idleMs,
    minServiceMs: timeouts.minServiceMs,
    retry: retryRules(retry, route.retry),
    budget: retry.budget,
    maxReplayBytes: retry.maxReplayBytes,
    maxRequestBytes: limits.maxRequestBytes ?? Infinity,
    grpcIdempotent: new Set(retry.grpcIdempotent),
    nativeKeyHeader: idempotency?.mode === 'native' ? idempotency.header : undefined,
    breaker: circuitBreaker === undefined ? undefined : { ...circuitBreaker, probeMs },
    outlier: resilience.outlierDetection,
    limits,
    loadBalancing: resilience.loadBalancing,
  };
}

/** A route may name more codes, and says how often; which methods may be repeated is not for it to say. */
function retryRules(retry: ResiliencePolicy['retry'], route: RouteRule['retry']): RetryRules {
  const codes = route?.codes ?? [];
  const baseMs = route?.backoffMs ?? retry.backoff.baseMs;
  return {
    attempts: route?.attempts ?? retry.attempts,
    on: new Set<RetryCondition>(codes.length > 0 ? [...retry.on, 'retriable-status-codes'] : retry.on),
    statusCodes: new Set([...(retry.on.includes('retriable-status-codes') ? retry.statusCodes : []), ...codes]),
    backoff: { baseMs, maxMs: route?.backoffMs === undefined ? retry.backoff.maxMs : Math.max(retry.backoff.maxMs, 10 * baseMs) },
  };
}

/** Gateway API: a duration of 0 switches a timeout off. */
function shorter(one: number | undefined, other: number | undefined): number {
  return Math.min(one === undefined || one === 0 ? Infinity : one, other === undefined || other === 0 ? Infinity : other);
}
