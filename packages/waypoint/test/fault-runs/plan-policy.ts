/** The ResiliencePolicy of a run: who deduplicates, what is retried, how long things may take. */
import type {
  IdempotencyPolicy,
  KeyValueStore,
  OutlierPolicy,
  ResiliencePolicy,
  RetryCondition,
} from '@clearmesh/shared/model/l7/resilience';
import { defaultResilience } from '@clearmesh/shared/model/l7/resilience';
import type { Draw } from '@clearmesh/shared/testing/draw';

export type PolicyPlan = {
  /** Who deduplicates: the waypoint, the ledger, nobody. */
  readonly mode: 'key' | 'native' | 'none';
  readonly store: 'memory' | 'redis';
  readonly keyRequired: boolean;
  readonly requestMs: number;
  readonly perTryMs?: number;
  readonly attempts: number;
  /** Every condition there is, safe or not; else the default ones. */
  readonly retriesAll: boolean;
  readonly breaker: boolean;
  readonly outlier: boolean;
  /** One connection, one waiting, two requests, no retry at a time. */
  readonly tight: boolean;
  readonly leaseMs: number;
  readonly maxBodyBytes: number;
  readonly maxReplayBytes: number;
};

const allConditions: readonly RetryCondition[] = [
  'connect-failure',
  'refused-stream',
  'reset-before-request',
  'reset',
  'per-try-timeout',
  'gateway-error',
  '5xx',
  'retriable-4xx',
  'retriable-status-codes',
];

export function drawPolicy(draw: Draw): PolicyPlan {
  const requestMs = draw.int(250, 600);
  const mode = draw.weighted({ key: 5, native: 3, none: 2 });
  return {
    mode,
    store: mode === 'key' && draw.chance(0.5) ? 'redis' : 'memory',
    keyRequired: draw.chance(0.3),
    requestMs,
    ...(draw.chance(0.75) ? { perTryMs: draw.int(60, 200) } : {}),
    attempts: draw.int(0, 4),
    retriesAll: draw.chance(0.6),
    breaker: draw.chance(0.4),
    outlier: draw.chance(0.6),
    tight: draw.chance(0.1),
    // Now and then shorter than the request may take: its answer then comes too late to be kept.
    leaseMs: draw.chance(0.1) ? draw.int(50, 200) : 2_000,
    maxBodyBytes: draw.chance(0.15) ? 200 : 262_144,
    maxReplayBytes: draw.pick([0, 1_000, 65_536, 65_536]),
  };
}

/** As the control plane would push it. */
export function resilienceOf(plan: PolicyPlan, redis: KeyValueStore | undefined): ResiliencePolicy {
  const { limits, retry, loadBalancing } = defaultResilience;
  return {
    class: 'money-movement',
    timeouts: {
      requestMs: plan.requestMs,
      ...(plan.perTryMs === undefined ? {} : { backendRequestMs: plan.perTryMs }),
      idleMs: 5_000,
      connectMs: 1_000,
      minServiceMs: 0,
    },
    retry: {
      ...retry,
      attempts: plan.attempts,
      on: plan.retriesAll ? allConditions : retry.on,
      statusCodes: plan.retriesAll ? [409, 500, 502, 503, 504] : [],
      backoff: { baseMs: 5, maxMs: 30 },
      maxReplayBytes: plan.maxReplayBytes,
    },
    ...idempotencyOf(plan, redis),
    ...(plan.breaker
      ? { circuitBreaker: { errorThresholdPercent: 50, volumeThreshold: 4, windowMs: 1_000, openMs: 60, maxOpenMs: 200 } }
      : {}),
    ...(plan.outlier ? { outlierDetection: outlier } : {}),
    limits: plan.tight ? { ...limits, maxConnections: 1, maxPending: 1, maxRequests: 2, maxRetries: 0 } : limits,
    loadBalancing,
  };
}

const outlier: OutlierPolicy = {
  consecutive5xx: 2,
  consecutiveLocal: 2,
  intervalMs: 1_000,
  baseEjectionMs: 100,
  maxEjectionMs: 300,
  panicPercent: 50,
  panic: 'fail',
};

function idempotencyOf(plan: PolicyPlan, redis: KeyValueStore | undefined): { readonly idempotency?: IdempotencyPolicy } {
  if (plan.mode === 'none') return {};
  const { mode, keyRequired: required, leaseMs, maxBodyBytes } = plan;
  const store = plan.store === 'redis' && redis !== undefined ? redis : ({ kind: 'memory' } as const);
  const methods = ['POST'];
  const header = 'idempotency-key';
  return { idempotency: { mode, header, required, ttlMs: 3_600_000, leaseMs, store, methods, maxBodyBytes, waitReplicas: 0 } };
}
