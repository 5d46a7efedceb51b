import { Type } from 'typebox';
import { defineKind } from './kind.ts';
import { policyObject, selectorSchema, strict } from './policy-schema.ts';
import type { Kind } from './kind.ts';
import type { SelectorManifest, StandInReach } from './policy-schema.ts';
import type { NamespacedMetadata } from './metadata.ts';

export type MtlsMode = 'UNSET' | 'DISABLE' | 'PERMISSIVE' | 'STRICT';

export type PeerAuthenticationManifest = {
  readonly metadata: NamespacedMetadata;
  readonly spec?: {
    readonly selector?: SelectorManifest;
    readonly mtls?: { readonly mode?: MtlsMode };
    /** By port number, as text. */
    readonly portLevelMtls?: Readonly<Record<string, { readonly mode?: MtlsMode }>>;
  };
  /** Absent in what somebody wrote. */
  readonly standIn?: StandInReach;
};

const mtls = Type.Object({ mode: Type.Optional(Type.Enum(['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT'])) }, strict);

export const peerAuthenticationKind: Kind<PeerAuthenticationManifest> = defineKind(
  { kind: 'PeerAuthentication', apiVersions: ['security.istio.io/v1', 'security.istio.io/v1beta1'], scope: 'namespaced' },
  policyObject(
    Type.Optional(
      Type.Object(
        {
          selector: Type.Optional(selectorSchema),
          mtls: Type.Optional(mtls),
          portLevelMtls: Type.Optional(Type.Record(Type.String(), mtls)),
        },
        strict,
      ),
    ),
  ),
);
