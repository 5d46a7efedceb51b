import { Type } from 'typebox';
import { defineKind } from './kind.ts';
import { clusterPolicyMetadata, namespaceSchema } from './metadata.ts';
import { patterned } from './patterned.ts';
import { strict } from './policy-schema.ts';
import { resilienceSchema } from './resilience-policy.ts';
import type { Kind } from './kind.ts';
import type { Metadata } from './metadata.ts';
import type { ResiliencePolicyManifest } from './resilience-policy.ts';

/** A part of a bank: namespaces that belong together, and what holds for all of them unless they say otherwise. */
export type BankingDomainManifest = {
  readonly metadata: Metadata;
  readonly spec: {
    readonly namespaces: readonly string[];
    /** That its Services use, where neither they nor their namespace names another one. */
    readonly waypoint?: { readonly name: string; readonly namespace: string };
    /** Told with the traces of the waypoint. */
    readonly criticality?: string;
    readonly defaults?: { readonly resilience?: Omit<ResiliencePolicyManifest['spec'], 'targetRefs'> };
  };
};

const criticality = patterned(/^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/, 'a word, such as high');

export const bankingDomainKind: Kind<BankingDomainManifest> = defineKind(
  { kind: 'BankingDomain', apiVersions: ['clearmesh.io/v1alpha1'], scope: 'cluster' },
  Type.Object(
    {
      apiVersion: Type.String(),
      kind: Type.String(),
      metadata: clusterPolicyMetadata,
      spec: Type.Object(
        {
          namespaces: Type.Array(namespaceSchema),
          waypoint: Type.Optional(Type.Object({ name: Type.String({ minLength: 1 }), namespace: namespaceSchema }, strict)),
          criticality: Type.Optional(criticality),
          defaults: Type.Optional(Type.Object({ resilience: Type.Optional(resilienceSchema) }, strict)),
        },
        strict,
      ),
      status: Type.Optional(Type.Unknown()),
    },
    strict,
  ),
);
