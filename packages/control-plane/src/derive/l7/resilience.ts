/** ResiliencePolicy with its defaults, which stand with the model. */
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
    limits: {
      maxConnections: limits.maxConnections ?? 1024,
      maxPending: limits.maxPending ?? 1024,
      maxRequests: limits.maxRequests ?? 1024,
      maxRetries: limits.maxRetries ?? 3,
      maxUpgraded: limits.maxUpgraded ?? 16_384,
      ...(limits.maxRequestBytes === undefined ? {} : { maxRequestBytes: limits.maxRequestBytes }),
    },
    loadBalancing: { initialRttMs: ms(loadBalancing.initialRtt, 30), decayMs: ms(loadBalancing.decay, 10_000) },
  };
}

function timeoutsOf(timeouts: NonNullable<Spec['timeouts']> = {}): Timeouts {
  const requestMs = ms(timeouts.request, 0);
  const backendRequestMs = ms(timeouts.backendRequest, 0);
  return {
    // 0s means none, as on routes.
    ...(requestMs === 0 ? {} : { requestMs }),
    ...(backendRequestMs === 0 ? {} : { backendRequestMs }),
    idleMs: ms(timeouts.idle, 300_000),
    connectMs: ms(timeouts.connect, 5000),
    minServiceMs: ms(timeouts.minService, 0),
  };
}

function retryOf(retry: NonNullable<Spec['retry']> = {}): RetryPolicy {
  const baseMs = ms(retry.backoff?.base, 25);
  return {
    attempts: retry.attempts ?? 1,
    on: retry.on ?? ['connect-failure', 'refused-stream', 'reset-before-request'],
    statusCodes: retry.statusCodes ?? [],
    // Ten times the base (l7-and-resilience B3).
    backoff: { baseMs, maxMs: ms(retry.backoff?.max, baseMs * 10) },
    budget: {
      percent: retry.budget?.percent ?? 20,
      intervalMs: ms(retry.budget?.interval, 10_000),
      minPerSecond: retry.budget?.minPerSecond ?? 10,
    },
    maxReplayBytes: retry.maxReplayBytes ?? 65_536,
    grpcIdempotent: retry.grpcIdempotent ?? [],
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
