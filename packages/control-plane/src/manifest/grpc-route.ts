import { Type } from 'typebox';
import { namedMatchesSchema } from './http-match.ts';
import { defineKind } from './kind.ts';
import { policyObject, strict } from './policy-schema.ts';
import { backendRefsSchema, filtersSchema, parentRefsSchema } from './route.ts';
import type { NamedMatchManifest } from './http-match.ts';
import type { Kind } from './kind.ts';
import type { NamespacedMetadata } from './metadata.ts';
import type { BackendRefManifest, FilterManifest, ParentRefManifest } from './route.ts';

export type GrpcMethodMatchManifest = {
  readonly type?: 'Exact' | 'RegularExpression';
  readonly service?: string;
  readonly method?: string;
};

export type GrpcMatchManifest = { readonly method?: GrpcMethodMatchManifest; readonly headers?: readonly NamedMatchManifest[] };

export type GrpcRouteRuleManifest = {
  readonly name?: string;
  readonly matches?: readonly GrpcMatchManifest[];
  readonly filters?: readonly FilterManifest[];
  readonly backendRefs?: readonly BackendRefManifest[];
  readonly sessionPersistence?: unknown;
};

export type GrpcRouteManifest = {
  readonly metadata: NamespacedMetadata;
  readonly spec: {
    readonly parentRefs?: readonly ParentRefManifest[];
    readonly hostnames?: readonly string[];
    readonly rules?: readonly GrpcRouteRuleManifest[];
  };
};

const method = Type.Object(
  {
    type: Type.Optional(Type.Enum(['Exact', 'RegularExpression'])),
    service: Type.Optional(Type.String({ minLength: 1 })),
    method: Type.Optional(Type.String({ minLength: 1 })),
  },
  strict,
);

const rule = Type.Object(
  {
    name: Type.Optional(Type.String()),
    matches: Type.Optional(
      Type.Array(Type.Object({ method: Type.Optional(method), headers: Type.Optional(namedMatchesSchema) }, strict)),
    ),
    filters: Type.Optional(filtersSchema),
    backendRefs: Type.Optional(backendRefsSchema),
    sessionPersistence: Type.Optional(Type.Unknown()),
  },
  strict,
);

export const grpcRouteKind: Kind<GrpcRouteManifest> = defineKind(
  { kind: 'GRPCRoute', apiVersions: ['gateway.networking.k8s.io/v1'], scope: 'namespaced' },
  policyObject(
    Type.Object(
      {
        parentRefs: Type.Optional(parentRefsSchema),
        hostnames: Type.Optional(Type.Array(Type.String({ minLength: 1 }))),
        rules: Type.Optional(Type.Array(rule)),
        useDefaultGateways: Type.Optional(Type.String()),
      },
      strict,
    ),
  ),
);
