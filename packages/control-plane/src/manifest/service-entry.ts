/** Hosts that no Service of the cluster is (networking.istio.io). */
import { Type } from 'typebox';
import { parseBlock } from '@clearmesh/shared/model/address-block';
import { defineKind } from './kind.ts';
import { namespacedMetadata } from './metadata.ts';
import { strict } from './policy-schema.ts';
import { entrySchema, istioNetworkingVersions } from './workload-entry.ts';
import type { Kind } from './kind.ts';
import type { Labels, NamespacedMetadata } from './metadata.ts';
import type { EntrySpec } from './workload-entry.ts';

export type EntryPort = {
  readonly number: number;
  readonly name: string;
  /** A word of Istio's; any other counts as unknown. @default none */
  readonly protocol?: string;
  /** @default number */
  readonly targetPort?: number;
};

export type Resolution = 'NONE' | 'STATIC' | 'DNS' | 'DNS_ROUND_ROBIN' | 'DYNAMIC_DNS';

/** An address that was given to a host automatically. */
export type HostAddress = { readonly host: string; readonly value: string };

export type ServiceEntryManifest = {
  readonly metadata: NamespacedMetadata;
  readonly spec: {
    readonly hosts: readonly string[];
    /** Addresses, and blocks of them. */
    readonly addresses?: readonly string[];
    readonly ports?: readonly EntryPort[];
    readonly location?: 'MESH_EXTERNAL' | 'MESH_INTERNAL';
    /** @default NONE */
    readonly resolution?: Resolution;
    readonly endpoints?: readonly EntrySpec[];
    readonly workloadSelector?: { readonly labels?: Labels };
    /** `.`: this namespace alone; `~`: nobody; absent or `*`: everybody. */
    readonly exportTo?: readonly string[];
    readonly subjectAltNames?: readonly string[];
  };
  readonly status?: { readonly addresses?: readonly { readonly host?: string; readonly value: string }[] };
};

/** Label; `false`: no automatic address. */
export const autoAddressLabel = 'networking.istio.io/enable-autoallocate-ip';

const host = Type.Refine(
  Type.String({ minLength: 1 }),
  (text) =>
    text.length <= 253 &&
    /^(\*\.)?([a-zA-Z0-9_]([-a-zA-Z0-9_]*[a-zA-Z0-9_])?\.)*[a-zA-Z0-9_]([-a-zA-Z0-9_]*[a-zA-Z0-9_])?$/.test(text),
  () => 'a DNS name, such as rates.partner.example or *.partner.example',
);
const block = Type.Refine(
  Type.String(),
  (text) => parseBlock(text) !== undefined,
  () => 'an IP address or a block, such as 203.0.113.10 or 203.0.113.64/28',
);
const portNumber = Type.Integer({ minimum: 1, maximum: 65_535 });

export const serviceEntryKind: Kind<ServiceEntryManifest> = defineKind(
  { kind: 'ServiceEntry', apiVersions: istioNetworkingVersions, scope: 'namespaced' },
  Type.Object({
    metadata: namespacedMetadata,
    spec: Type.Object(
      {
        hosts: Type.Array(host),
        addresses: Type.Optional(Type.Array(block)),
        ports: Type.Optional(
          Type.Array(
            Type.Object(
              {
                number: portNumber,
                name: Type.String({ minLength: 1 }),
                protocol: Type.Optional(Type.String()),
                targetPort: Type.Optional(portNumber),
              },
              strict,
            ),
          ),
        ),
        location: Type.Optional(Type.Enum(['MESH_EXTERNAL', 'MESH_INTERNAL'])),
        resolution: Type.Optional(Type.Enum(['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS'])),
        endpoints: Type.Optional(Type.Array(entrySchema)),
        workloadSelector: Type.Optional(
          Type.Object({ labels: Type.Optional(Type.Record(Type.String(), Type.String())) }, strict),
        ),
        exportTo: Type.Optional(Type.Array(Type.String())),
        subjectAltNames: Type.Optional(Type.Array(Type.String())),
      },
      strict,
    ),
    status: Type.Optional(
      Type.Object({
        addresses: Type.Optional(Type.Array(Type.Object({ host: Type.Optional(Type.String()), value: Type.String() }))),
      }),
    ),
  }),
);
