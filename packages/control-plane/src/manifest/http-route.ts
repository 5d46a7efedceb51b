import { Type } from 'typebox';
import { durationSchema } from './duration.ts';
import { httpMatchSchema } from './http-match.ts';
import { defineKind } from './kind.ts';
import { policyObject, strict } from './policy-schema.ts';
import { backendRefsSchema, filtersSchema, parentRefsSchema } from './route.ts';
import type { HttpMatchManifest } from './http-match.ts';
import type { Kind } from './kind.ts';
import type { NamespacedMetadata } from './metadata.ts';
import type { BackendRefManifest, FilterManifest, ParentRefManifest } from './route.ts';

export type HttpRouteRuleManifest = {
  readonly name?: string;
  readonly matches?: readonly HttpMatchManifest[];
  readonly filters?: readonly FilterManifest[];
  readonly backendRefs?: readonly BackendRefManifest[];
  readonly timeouts?: { readonly request?: string; readonly backendRequest?: string };
  readonly retry?: { readonly codes?: readonly number[]; readonly attempts?: number; readonly backoff?: string };
  readonly sessionPersistence?: unknown;
};

export type HttpRouteManifest = {
  readonly metadata: NamespacedMetadata;
  readonly spec: {
    readonly parentRefs?: readonly ParentRefManifest[];
    readonly hostnames?: readonly string[];
    readonly rules?: readonly HttpRouteRuleManifest[];
  };
};

const rule = Type.Object(
  {
    name: Type.Optional(Type.String()),
    matches: Type.Optional(Type.Array(httpMatchSchema)),
    filters: Type.Optional(filtersSchema),
    backendRefs: Type.Optional(backendRefsSchema),
    timeouts: Type.Optional(
      Type.Object({ request: Type.Optional(durationSchema), backendRequest: Type.Optional(durationSchema) }, strict),
    ),
    retry: Type.Optional(
      Type.Object(
        {
          codes: Type.Optional(Type.Array(Type.Integer({ minimum: 400, maximum: 599 }))),
          attempts: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
          backoff: Type.Optional(durationSchema),
        },
        strict,
      ),
    ),
    sessionPersistence: Type.Optional(Type.Unknown()),
  },
  strict,
);

export const httpRouteKind: Kind<HttpRouteManifest> = defineKind(
  {
    kind: 'HTTPRoute',
    apiVersions: ['gateway.networking.k8s.io/v1', 'gateway.networking.k8s.io/v1beta1'],
    scope: 'namespaced',
  },
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
