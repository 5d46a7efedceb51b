import { Type } from 'typebox';
import { durationSchema } from './duration.ts';
import { httpMatchesSchema } from './http-match.ts';
import { defineKind } from './kind.ts';
import { patterned, refined } from './patterned.ts';
import { policyObject, strict } from './policy-schema.ts';
import { parseTime, timeShape } from './time.ts';
import { targetRefsSchema } from './target-ref.ts';
import type { HttpMatchManifest } from './http-match.ts';
import type { Kind } from './kind.ts';
import type { NamespacedMetadata } from './metadata.ts';
import type { TargetRefManifest } from './target-ref.ts';

export type FaultExperimentManifest = {
  readonly metadata: NamespacedMetadata;
  readonly spec: {
    readonly targetRefs: readonly TargetRefManifest[];
    /** RFC 3339. */
    readonly startsAt: string;
    /** @default 15m */
    readonly ttl?: string;
    readonly owner: string;
    readonly approver: string;
    readonly matches?: readonly HttpMatchManifest[];
    /** `namespace/account`, or a whole SPIFFE id. */
    readonly callers?: readonly string[];
    /** @default 1 */
    readonly percent?: number;
    /** @default 10 */
    readonly maxActive?: number;
    readonly delay?: string;
    readonly abort?: { readonly status: number; readonly grpcStatus?: number };
    readonly throttleKibPerSecond?: number;
    readonly reset?: boolean;
  };
};

/** Milliseconds: an experiment ends by itself after at most an hour. */
export const maxExperimentMs = 3_600_000;
/** Of the matching requests, where the namespace is no test environment. */
export const maxProductionPercent = 5;

const time = refined(timeShape, (text) => parseTime(text) !== undefined, 'a time, such as "2027-03-31T18:00:00Z"');
const caller = patterned(
  /^(?:spiffe:\/\/[^/]+\/ns\/)?[a-z0-9][-a-z0-9]*\/(?:sa\/)?[a-z0-9][-a-z0-9.]*$/,
  'a caller as namespace/account, or as a whole SPIFFE id',
);

export const faultExperimentKind: Kind<FaultExperimentManifest> = defineKind(
  { kind: 'FaultExperiment', apiVersions: ['clearmesh.io/v1alpha1'], scope: 'namespaced' },
  policyObject(
    Type.Object(
      {
        targetRefs: targetRefsSchema,
        startsAt: time,
        ttl: Type.Optional(durationSchema),
        owner: Type.String({ minLength: 1 }),
        approver: Type.String({ minLength: 1 }),
        matches: Type.Optional(httpMatchesSchema),
        callers: Type.Optional(Type.Array(caller)),
        percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
        maxActive: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
        delay: Type.Optional(durationSchema),
        abort: Type.Optional(
          Type.Object(
            {
              status: Type.Integer({ minimum: 200, maximum: 599 }),
              grpcStatus: Type.Optional(Type.Integer({ minimum: 0, maximum: 16 })),
            },
            strict,
          ),
        ),
        throttleKibPerSecond: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_048_576 })),
        reset: Type.Optional(Type.Boolean()),
      },
      strict,
    ),
  ),
);
