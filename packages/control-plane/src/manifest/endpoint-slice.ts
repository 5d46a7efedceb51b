import { Type } from 'typebox';
import { defineKind } from './kind.ts';
import { namespacedMetadata } from './metadata.ts';
import type { Kind } from './kind.ts';
import type { NamespacedMetadata } from './metadata.ts';

export type SliceEndpoint = {
  readonly addresses?: readonly string[];
  readonly conditions?: { readonly ready?: boolean | null };
  readonly targetRef?: {
    readonly kind?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly uid?: string;
  } | null;
};

/** `port` absent: any port. */
export type SlicePort = { readonly name?: string | null; readonly port?: number | null; readonly protocol?: string | null };

/** Endpoints of a Service; those of pods are read from the pods themselves. */
export type EndpointSliceManifest = {
  readonly metadata: NamespacedMetadata;
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN';
  readonly endpoints?: readonly SliceEndpoint[] | null;
  readonly ports?: readonly SlicePort[] | null;
};

/** Label: the Service that the slice belongs to. */
export const sliceServiceLabel = 'kubernetes.io/service-name';

/** Go leaves a list or field out, or writes null. */
const text = Type.Optional(Type.Union([Type.String(), Type.Null()]));

export const endpointSliceKind: Kind<EndpointSliceManifest> = defineKind(
  { kind: 'EndpointSlice', apiVersions: ['discovery.k8s.io/v1'], scope: 'namespaced' },
  Type.Object({
    metadata: namespacedMetadata,
    addressType: Type.Enum(['IPv4', 'IPv6', 'FQDN']),
    endpoints: Type.Optional(
      Type.Union([
        Type.Array(
          Type.Object({
            addresses: Type.Optional(Type.Array(Type.String())),
            conditions: Type.Optional(Type.Object({ ready: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])) })),
            targetRef: Type.Optional(
              Type.Union([
                Type.Object({
                  kind: Type.Optional(Type.String()),
                  namespace: Type.Optional(Type.String()),
                  name: Type.Optional(Type.String()),
                  uid: Type.Optional(Type.String()),
                }),
                Type.Null(),
              ]),
            ),
          }),
        ),
        Type.Null(),
      ]),
    ),
    ports: Type.Optional(
      Type.Union([
        Type.Array(
          Type.Object({
            name: text,
            port: Type.Optional(Type.Union([Type.Integer({ minimum: 0, maximum: 65_535 }), Type.Null()])),
            protocol: text,
          }),
        ),
        Type.Null(),
      ]),
    ),
  }),
);
