/** A machine outside of Kubernetes, as an object of its own or as one endpoint of a ServiceEntry. */
import { Type } from 'typebox';
import { defineKind } from './kind.ts';
import { namespacedMetadata } from './metadata.ts';
import { serviceAccountName } from './pod.ts';
import { strict } from './policy-schema.ts';
import type { Kind } from './kind.ts';
import type { Labels, NamespacedMetadata } from './metadata.ts';

export type EntrySpec = {
  /** An IP address, or a DNS name; "" where a gateway of its network takes the traffic. */
  readonly address?: string;
  /** By name of a service port, or of its target port. */
  readonly ports?: Readonly<Record<string, number>>;
  readonly labels?: Labels;
  /** @default the mesh's */
  readonly network?: string;
  /** `region/zone/subzone`; the end may be missing. */
  readonly locality?: string;
  /** Relative share of the traffic; 0 counts as 1, as upstream. @default 1 */
  readonly weight?: number;
  readonly serviceAccount?: string;
};

export type WorkloadEntryManifest = { readonly metadata: NamespacedMetadata; readonly spec?: EntrySpec };

export const istioNetworkingVersions: readonly [string, ...string[]] = [
  'networking.istio.io/v1',
  'networking.istio.io/v1beta1',
  'networking.istio.io/v1alpha3',
];

/** Without unknown fields: a mistyped account would be another identity. */
export const entrySchema: Type.TUnsafe<EntrySpec> = Type.Unsafe<EntrySpec>(
  Type.Object(
    {
      address: Type.Optional(Type.String()),
      ports: Type.Optional(Type.Record(Type.String(), Type.Integer({ minimum: 1, maximum: 65_535 }))),
      labels: Type.Optional(Type.Record(Type.String(), Type.String())),
      network: Type.Optional(Type.String()),
      locality: Type.Optional(Type.String()),
      weight: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xffff_ffff })),
      serviceAccount: Type.Optional(serviceAccountName),
    },
    strict,
  ),
);

export const workloadEntryKind: Kind<WorkloadEntryManifest> = defineKind(
  { kind: 'WorkloadEntry', apiVersions: istioNetworkingVersions, scope: 'namespaced' },
  Type.Object({ metadata: namespacedMetadata, spec: Type.Optional(entrySchema), status: Type.Optional(Type.Unknown()) }),
);

/** Labels of the object and of its spec; the object's win, as upstream. */
export function labelsOfEntry({ metadata, spec }: WorkloadEntryManifest): Labels {
  return { ...spec?.labels, ...metadata.labels };
}
