/** ResiliencePolicy with its defaults, which stand with the model. */
import { defaultResilience } from '@clearmesh/shared/model/l7/resilience';
import type {
  CircuitBreakerPolicy,
  IdempotencyPolicy,
  KeyValueStore,
  OutlierPolicy,
  ResiliencePolicy,
  RetryPolicy,
  Timeouts,
} from '@clearmesh/shared/model/l7/resilience';
import { durationMs } from '../../manifest/duration.ts';
import type { RedisStoreManifest } from '../../manifest/redis-store.ts';
import type { ResiliencePolicyManifest } from '../../manifest/resilience-policy.ts';

type Spec = ResiliencePolicyManifest['spec'];

export function deriveResilience({ spec }: ResiliencePolicyManifest): ResiliencePolicy {
  const { class: moneyClass = 'standard', idempotency, circuitBreaker, outlierDetection, limits = {}, loadBalancing = {} } = spec;
  return {
    class: moneyClass,
    timeouts: timeoutsOf(spec.timeouts),
    retry: retryOf(spec.retry),
    ...(idempotency === undefined ? {} : { idempotency: idempotencyOf(idempotency) }),
    ...(circuitBreaker === undefined ? {} : { circuitBreaker: breakerOf(circuitBreaker) }),
    ...(outlierDetection === undefined ? {} : { outlierDetection: outlierOf(outlierDetection, moneyClass) }),
    limits: { ...defaultResilience.limits, ...limits },
    loadBalancing: {
      initialRttMs: ms(loadBalancing.initialRtt, defaultResilience.loadBalancing.initialRttMs),
      decayMs: ms(loadBalancing.decay, defaultResilience.loadBalancing.decayMs),
    },
  };
}

function timeoutsOf(timeouts: NonNullable<Spec['timeouts']> = {}): Timeouts {
  const requestMs = ms(timeouts.request, 0);
  const backendRequestMs = ms(timeouts.backendRequest, 0);
  return {
    // 0s means none, as on routes.
    ...(requestMs === 0 ? {} : { requestMs }),
    ...(backendRequestMs === 0 ? {} : { backendRequestMs }),
    idleMs: ms(timeouts.idle, defaultResilience.timeouts.idleMs),
    connectMs: ms(timeouts.connect, defaultResilience.timeouts.connectMs),
    minServiceMs: ms(timeouts.minService, defaultResilience.timeouts.minServiceMs),
  };
}

function retryOf(retry: NonNullable<Spec['retry']> = {}): RetryPolicy {
  const { attempts, on, statusCodes, backoff, budget, maxReplayBytes, grpcIdempotent } = defaultResilience.retry;
  const baseMs = ms(retry.backoff?.base, backoff.baseMs);
  return {
    attempts: retry.attempts ?? attempts,
    on: retry.conditions ?? on,
    statusCodes: retry.statusCodes ?? statusCodes,
    // Ten times the base (l7-and-resilience B3).
    backoff: { baseMs, maxMs: ms(retry.backoff?.max, baseMs * 10) },
    budget: {
      percent: retry.budget?.percent ?? budget.percent,
      intervalMs: ms(retry.budget?.interval, budget.intervalMs),
      minPerSecond: retry.budget?.minPerSecond ?? budget.minPerSecond,
    },
    maxReplayBytes: retry.maxReplayBytes ?? maxReplayBytes,
    grpcIdempotent: retry.grpcIdempotent ?? grpcIdempotent,
  };
}

function idempotencyOf(policy: NonNullable<Spec['idempotency']>): IdempotencyPolicy {
  return {
    mode: policy.mode,
    header: (policy.header ?? 'idempotency-key').toLowerCase(),
    required: policy.required ?? false,
    ttlMs: ms(policy.ttl, 86_400_000),
    leaseMs: ms(policy.lease, 60_000),
    store: policy.redis === undefined ? { kind: 'memory' } : redisStore(policy.redis),
    methods: (policy.methods ?? ['POST', 'PATCH']).map((method) => method.toUpperCase()),
    maxBodyBytes: policy.maxBodyBytes ?? 262_144,
    waitReplicas: policy.waitReplicas ?? 0,
  };
}

function breakerOf(policy: NonNullable<Spec['circuitBreaker']>): CircuitBreakerPolicy {
  return {
    errorThresholdPercent: policy.errorThresholdPercent ?? 50,
    volumeThreshold: policy.volumeThreshold ?? 20,
    windowMs: ms(policy.window, 10_000),
    openMs: ms(policy.open, 1000),
    maxOpenMs: ms(policy.maxOpen, 60_000),
  };
}

function outlierOf(policy: NonNullable<Spec['outlierDetection']>, moneyClass: ResiliencePolicy['class']): OutlierPolicy {
  const { maxEjectionPercent } = policy;
  return {
    consecutive5xx: policy.consecutive5xx ?? 5,
    consecutiveLocal: policy.consecutiveLocal ?? 5,
    intervalMs: ms(policy.interval, 10_000),
    baseEjectionMs: ms(policy.baseEjection, 30_000),
    maxEjectionMs: ms(policy.maxEjection, 300_000),
    ...(maxEjectionPercent === undefined ? {} : { maxEjectionPercent }),
    panicPercent: policy.panicPercent ?? 50,
    panic: policy.panic ?? (moneyClass === 'money-movement' ? 'fail' : 'spread'),
  };
}

export function redisStore({ url, passwordFile, timeout }: RedisStoreManifest): Extract<KeyValueStore, { kind: 'redis' }> {
  return { kind: 'redis', url, ...(passwordFile === undefined ? {} : { passwordFile }), timeoutMs: ms(timeout, 100) };
}

function ms(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : durationMs(text);
}
