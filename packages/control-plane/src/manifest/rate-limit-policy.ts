import { Type } from 'typebox';
import { durationSchema } from './duration.ts';
import { httpMatchesSchema } from './http-match.ts';
import { defineKind } from './kind.ts';
import { patterned } from './patterned.ts';
import { policyObject, strict } from './policy-schema.ts';
import { redisStoreSchema } from './redis-store.ts';
import { targetRefsSchema } from './target-ref.ts';
import type { HttpMatchManifest } from './http-match.ts';
import type { Kind } from './kind.ts';
import type { NamespacedMetadata } from './metadata.ts';
import type { RedisStoreManifest } from './redis-store.ts';
import type { TargetRefManifest } from './target-ref.ts';

export type RateLimitKeyManifest = {
  readonly type: 'identity' | 'namespace' | 'header' | 'path' | 'method';
  /** Of `header`. */
  readonly name?: string;
};

export type RateLimitManifest = {
  readonly name: string;
  /** @default local */
  readonly scope?: 'local' | 'global';
  readonly matches?: readonly HttpMatchManifest[];
  readonly key?: readonly RateLimitKeyManifest[];
  readonly requests: number;
  readonly window: string;
  readonly burst?: number;
  readonly shadow?: boolean;
};

export type RateLimitPolicyManifest = {
  readonly metadata: NamespacedMetadata;
  readonly spec: {
    readonly targetRefs: readonly TargetRefManifest[];
    readonly limits: readonly RateLimitManifest[];
    /** Where global limits count. */
    readonly redis?: RedisStoreManifest;
    readonly onStoreFailure?: 'allow' | 'deny' | 'local';
  };
};

/** Of one policy; each is counted with every request. */
const maxLimits = 64;
const maxKeyParts = 8;

const count = Type.Integer({ minimum: 1, maximum: 1_000_000_000 });
/** Becomes a name in `RateLimit-Policy`, a quoted string of RFC 9651. */
const limitName = patterned(/^[A-Za-z0-9][-A-Za-z0-9_.]{0,62}$/, 'letters, digits, "-", "_" and ".", at most 63');

const limit = Type.Object(
  {
    name: limitName,
    scope: Type.Optional(Type.Enum(['local', 'global'])),
    matches: Type.Optional(httpMatchesSchema),
    key: Type.Optional(
      Type.Array(
        Type.Object(
          {
            type: Type.Enum(['identity', 'namespace', 'header', 'path', 'method']),
            name: Type.Optional(Type.String({ minLength: 1 })),
          },
          strict,
        ),
        { maxItems: maxKeyParts },
      ),
    ),
    requests: count,
    window: durationSchema,
    burst: Type.Optional(count),
    shadow: Type.Optional(Type.Boolean()),
  },
  strict,
);

export const rateLimitPolicyKind: Kind<RateLimitPolicyManifest> = defineKind(
  { kind: 'RateLimitPolicy', apiVersions: ['clearmesh.io/v1alpha1'], scope: 'namespaced' },
  policyObject(
    Type.Object(
      {
        targetRefs: targetRefsSchema,
        limits: Type.Array(limit, { maxItems: maxLimits }),
        redis: Type.Optional(redisStoreSchema),
        onStoreFailure: Type.Optional(Type.Enum(['allow', 'deny', 'local'])),
      },
      strict,
    ),
  ),
);
