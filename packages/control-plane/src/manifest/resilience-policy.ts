import { Type } from 'typebox';
import { retryConditions } from '@clearmesh/shared/model/l7/resilience';
import type { RetryCondition } from '@clearmesh/shared/model/l7/resilience';
import { durationSchema } from './duration.ts';
import { defineKind } from './kind.ts';
import { patterned } from './patterned.ts';
import { policyObject, strict } from './policy-schema.ts';
import { redisStoreSchema } from './redis-store.ts';
import { targetRefsSchema } from './target-ref.ts';
import type { Kind } from './kind.ts';
import type { NamespacedMetadata } from './metadata.ts';
import type { RedisStoreManifest } from './redis-store.ts';
import type { TargetRefManifest } from './target-ref.ts';

/** Durations as the Gateway API writes them; defaults stand with the model (shared/model/l7/resilience). */
export type ResiliencePolicyManifest = {
  readonly metadata: NamespacedMetadata;
  readonly spec: {
    readonly targetRefs: readonly TargetRefManifest[];
    readonly class?: 'standard' | 'money-movement';
    readonly timeouts?: {
      readonly request?: string;
      readonly backendRequest?: string;
      readonly idle?: string;
      readonly connect?: string;
      readonly minService?: string;
    };
    readonly retry?: {
      readonly attempts?: number;
      readonly conditions?: readonly RetryCondition[];
      readonly statusCodes?: readonly number[];
      readonly backoff?: { readonly base?: string; readonly max?: string };
      readonly budget?: { readonly percent?: number; readonly interval?: string; readonly minPerSecond?: number };
      readonly maxReplayBytes?: number;
      readonly grpcIdempotent?: readonly string[];
    };
    readonly idempotency?: {
      readonly mode: 'key' | 'native';
      readonly header?: string;
      readonly required?: boolean;
      readonly ttl?: string;
      readonly lease?: string;
      /** Absent: memory, which serves one replica only. */
      readonly redis?: RedisStoreManifest;
      readonly methods?: readonly string[];
      readonly maxBodyBytes?: number;
      readonly waitReplicas?: number;
    };
    readonly circuitBreaker?: {
      readonly errorThresholdPercent?: number;
      readonly volumeThreshold?: number;
      readonly window?: string;
      readonly open?: string;
      readonly maxOpen?: string;
    };
    readonly outlierDetection?: {
      readonly consecutive5xx?: number;
      readonly consecutiveLocal?: number;
      readonly interval?: string;
      readonly baseEjection?: string;
      readonly maxEjection?: string;
      readonly maxEjectionPercent?: number;
      readonly panicPercent?: number;
      readonly panic?: 'spread' | 'fail';
    };
    readonly limits?: {
      readonly maxConnections?: number;
      readonly maxPending?: number;
      readonly maxRequests?: number;
      readonly maxRetries?: number;
      readonly maxUpgraded?: number;
      readonly maxRequestBytes?: number;
    };
    readonly loadBalancing?: { readonly initialRtt?: string; readonly decay?: string };
  };
};

const duration = Type.Optional(durationSchema);
const count = Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 }));
const bytes = Type.Optional(Type.Integer({ minimum: 0, maximum: 1_073_741_824 }));
const percent = Type.Optional(Type.Number({ minimum: 0, maximum: 100 }));
const word = Type.String({ minLength: 1 });
/** What a header may be called (RFC 9110 section 5.1). */
const headerName = patterned(/^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/, 'the name of a header, such as idempotency-key');
const grpcMethod = patterned(/^\/[^/\s]+\/[^/\s]+$/, 'a gRPC method, such as /ledger.Ledger/Balance');

const retry = Type.Object(
  {
    attempts: Type.Optional(Type.Integer({ minimum: 0, maximum: 10 })),
    conditions: Type.Optional(Type.Array(Type.Enum([...retryConditions]))),
    statusCodes: Type.Optional(Type.Array(Type.Integer({ minimum: 400, maximum: 599 }))),
    backoff: Type.Optional(Type.Object({ base: duration, max: duration }, strict)),
    budget: Type.Optional(Type.Object({ percent, interval: duration, minPerSecond: count }, strict)),
    maxReplayBytes: bytes,
    grpcIdempotent: Type.Optional(Type.Array(grpcMethod)),
  },
  strict,
);

const idempotency = Type.Object(
  {
    mode: Type.Enum(['key', 'native']),
    header: Type.Optional(headerName),
    required: Type.Optional(Type.Boolean()),
    ttl: duration,
    lease: duration,
    redis: Type.Optional(redisStoreSchema),
    methods: Type.Optional(Type.Array(word)),
    maxBodyBytes: bytes,
    waitReplicas: Type.Optional(Type.Integer({ minimum: 0, maximum: 10 })),
  },
  strict,
);

const fields = {
  class: Type.Optional(Type.Enum(['standard', 'money-movement'])),
  timeouts: Type.Optional(
    Type.Object({ request: duration, backendRequest: duration, idle: duration, connect: duration, minService: duration }, strict),
  ),
  retry: Type.Optional(retry),
  idempotency: Type.Optional(idempotency),
  circuitBreaker: Type.Optional(
    Type.Object(
      { errorThresholdPercent: percent, volumeThreshold: count, window: duration, open: duration, maxOpen: duration },
      strict,
    ),
  ),
  outlierDetection: Type.Optional(
    Type.Object(
      {
        consecutive5xx: count,
        consecutiveLocal: count,
        interval: duration,
        baseEjection: duration,
        maxEjection: duration,
        maxEjectionPercent: percent,
        panicPercent: percent,
        panic: Type.Optional(Type.Enum(['spread', 'fail'])),
      },
      strict,
    ),
  ),
  limits: Type.Optional(
    Type.Object(
      {
        maxConnections: count,
        maxPending: count,
        maxRequests: count,
        maxRetries: count,
        maxUpgraded: count,
        maxRequestBytes: bytes,
      },
      strict,
    ),
  ),
  loadBalancing: Type.Optional(Type.Object({ initialRtt: duration, decay: duration }, strict)),
};

/** What it says, without whom it is for. */
export const resilienceSchema: Type.TUnsafe<Omit<ResiliencePolicyManifest['spec'], 'targetRefs'>> = Type.Unsafe<
  Omit<ResiliencePolicyManifest['spec'], 'targetRefs'>
>(Type.Object(fields, strict));

export const resiliencePolicyKind: Kind<ResiliencePolicyManifest> = defineKind(
  { kind: 'ResiliencePolicy', apiVersions: ['clearmesh.io/v1alpha1'], scope: 'namespaced' },
  policyObject(Type.Object({ targetRefs: targetRefsSchema, ...fields }, strict)),
);
