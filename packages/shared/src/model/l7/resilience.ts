/** ResiliencePolicy: load balancing, timeouts, retries, idempotency, breaker, outlier ejection and limits (l7-and-resilience B2–B7, C1, C10). */

/** What failed attempts may be sent again for (B3); the first three certainly never reached the application. */
export const retryConditions = [
  'connect-failure',
  'refused-stream',
  'reset-before-request',
  'reset',
  'per-try-timeout',
  'gateway-error',
  '5xx',
  'retriable-4xx',
  'retriable-status-codes',
  'grpc-cancelled',
  'grpc-deadline-exceeded',
  'grpc-resource-exhausted',
  'grpc-internal',
  'grpc-unavailable',
] as const;

export type RetryCondition = (typeof retryConditions)[number];

export type ResiliencePolicy = {
  /** Errors of class money-movement carry their outcome; faults are never injected. @default standard */
  readonly class: 'standard' | 'money-movement';
  readonly timeouts: Timeouts;
  readonly retry: RetryPolicy;
  /** Absent: keys are passed through unread. */
  readonly idempotency?: IdempotencyPolicy;
  /** Absent: no breaker. */
  readonly circuitBreaker?: CircuitBreakerPolicy;
  /** Absent: no endpoint is ejected. */
  readonly outlierDetection?: OutlierPolicy;
  readonly limits: Limits;
  readonly loadBalancing: LoadBalancingPolicy;
};

export type Timeouts = {
  /** The whole exchange with all attempts; absent: none. */
  readonly requestMs?: number;
  /** One attempt, until its response headers; absent: what is left of the request. */
  readonly backendRequestMs?: number;
  /** No byte in either direction. @default 300 000 */
  readonly idleMs: number;
  /** @default 5 000 */
  readonly connectMs: number;
  /** With less than this left of the caller's deadline nothing is dispatched (C10). @default 0 */
  readonly minServiceMs: number;
};

export type RetryPolicy = {
  /** Further attempts after the first. @default 1 */
  readonly attempts: number;
  /** @default connect-failure, refused-stream, reset-before-request */
  readonly on: readonly RetryCondition[];
  readonly statusCodes: readonly number[];
  readonly backoff: { /** @default 25 */ readonly baseMs: number; /** @default 250 */ readonly maxMs: number };
  /** Gateway API's retry constraint, shared by all requests to one backend. */
  readonly budget: {
    /** @default 20 */ readonly percent: number;
    /** @default 10 000 */ readonly intervalMs: number;
    /** @default 10 */ readonly minPerSecond: number;
  };
  /** Bytes of a request body kept for another attempt. @default 65 536 */
  readonly maxReplayBytes: number;
  /** gRPC methods, such as `/ledger.Ledger/Balance`, that may run twice. */
  readonly grpcIdempotent: readonly string[];
};

export type IdempotencyPolicy = {
  /** `key`: answers are kept here, and an unknown outcome is never sent again. `native`: the backend deduplicates by the key. */
  readonly mode: 'key' | 'native';
  /** Lower case. @default idempotency-key */
  readonly header: string;
  /** Unsafe requests without a key are refused (400). @default false */
  readonly required: boolean;
  /** @default 24 h */
  readonly ttlMs: number;
  /** How long a request may run before its outcome counts as unknown. @default 60 000 */
  readonly leaseMs: number;
  readonly store: KeyValueStore;
  /** Methods that carry keys. @default POST, PATCH */
  readonly methods: readonly string[];
  /** Largest answer kept for replay, bytes. @default 262 144 */
  readonly maxBodyBytes: number;
  /** Redis replicas that must have the key before the request is sent. @default 0 */
  readonly waitReplicas: number;
};

/** Shared state of several waypoint replicas; memory serves one replica only. */
export type KeyValueStore =
  | { readonly kind: 'memory' }
  | {
      readonly kind: 'redis';
      /** `redis://host:port/db`, without credentials. */
      readonly url: string;
      /** File that holds the password. */
      readonly passwordFile?: string;
      /** @default 100 */
      readonly timeoutMs: number;
    };

/** Of one route and backend (B7). */
export type CircuitBreakerPolicy = {
  /** @default 50 */
  readonly errorThresholdPercent: number;
  /** @default 20 */
  readonly volumeThreshold: number;
  /** @default 10 000 */
  readonly windowMs: number;
  /** First time open; doubles with each failed probe. @default 1 000 */
  readonly openMs: number;
  /** @default 60 000 */
  readonly maxOpenMs: number;
};

/** Of one endpoint, as this waypoint sees it (B6). */
export type OutlierPolicy = {
  /** Consecutive answers 5xx. @default 5 */
  readonly consecutive5xx: number;
  /** Consecutive connection failures and resets, counted apart from answers. @default 5 */
  readonly consecutiveLocal: number;
  /** @default 10 000 */
  readonly intervalMs: number;
  /** @default 30 000 */
  readonly baseEjectionMs: number;
  /** @default 300 000 */
  readonly maxEjectionMs: number;
  /** Absent: 50 below ten endpoints, else 10. The last endpoint is never ejected. */
  readonly maxEjectionPercent?: number;
  /** With fewer healthy endpoints than this: spread over all, or fail. @default 50 */
  readonly panicPercent: number;
  /** @default spread; fail for class money-movement */
  readonly panic: 'spread' | 'fail';
};

/** Of one backend; overflow answers 503, flag UO. */
export type Limits = {
  /** @default 1024 */
  readonly maxConnections: number;
  /** Requests waiting for a connection. @default 1024 */
  readonly maxPending: number;
  /** @default 1024 */
  readonly maxRequests: number;
  /** Attempts under way that are not first ones. @default 3 */
  readonly maxRetries: number;
  /** Upgraded streams (WebSocket), counted apart. @default 16 384 */
  readonly maxUpgraded: number;
  /** A request body larger than this is refused (413); absent: any. */
  readonly maxRequestBytes?: number;
};

export type LoadBalancingPolicy = {
  /** @default 30 */
  readonly initialRttMs: number;
  /** @default 10 000 */
  readonly decayMs: number;
};

/** In force where no ResiliencePolicy is; what a policy leaves out is taken from it. */
export const defaultResilience: ResiliencePolicy = {
  class: 'standard',
  timeouts: { idleMs: 300_000, connectMs: 5_000, minServiceMs: 0 },
  retry: {
    attempts: 1,
    on: ['connect-failure', 'refused-stream', 'reset-before-request'],
    statusCodes: [],
    backoff: { baseMs: 25, maxMs: 250 },
    budget: { percent: 20, intervalMs: 10_000, minPerSecond: 10 },
    maxReplayBytes: 65_536,
    grpcIdempotent: [],
  },
  limits: { maxConnections: 1_024, maxPending: 1_024, maxRequests: 1_024, maxRetries: 3, maxUpgraded: 16_384 },
  loadBalancing: { initialRttMs: 30, decayMs: 10_000 },
};
