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
  /**
   * It stands for one that cannot be read: `attached`, for its namespaces; `mesh`, for all that belong to no other domain.
   * No manifest says it.
   */
  readonly standIn?: 'attached' | 'mesh';
};

/** "_" is in the name of no Gateway, so that nobody can put one there. */
const unreadPrefix = 'unreadable_waypoint_of_';

/** Name of a waypoint that nobody has, for a domain whose own cannot be read. */
export function unreadWaypoint(domain: string): string {
  return `${unreadPrefix}${domain}`;
}

/** The domain, if the name is of that kind. */
export function domainOfUnread(waypoint: string): string | undefined {
  return waypoint.startsWith(unreadPrefix) ? waypoint.slice(unreadPrefix.length) : undefined;
}

type Spec = BankingDomainManifest['spec'];

/** The parts of its spec, for whoever reads one that is not whole. */
export const domainFields: { readonly [Field in keyof Required<Spec>]: Type.TUnsafe<NonNullable<Spec[Field]>> } = {
  namespaces: Type.Unsafe(Type.Array(namespaceSchema)),
  waypoint: Type.Unsafe(Type.Object({ name: Type.String({ minLength: 1 }), namespace: namespaceSchema }, strict)),
  criticality: patterned(/^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/, 'a word, such as high'),
  defaults: Type.Unsafe(Type.Object({ resilience: Type.Optional(resilienceSchema) }, strict)),
};

export const bankingDomainKind: Kind<BankingDomainManifest> = defineKind(
  { kind: 'BankingDomain', apiVersions: ['clearmesh.io/v1alpha1'], scope: 'cluster' },
  Type.Object(
    {
      apiVersion: Type.String(),
      kind: Type.String(),
      metadata: clusterPolicyMetadata,
      spec: Type.Object(
        {
          namespaces: domainFields.namespaces,
          waypoint: Type.Optional(domainFields.waypoint),
          criticality: Type.Optional(domainFields.criticality),
          defaults: Type.Optional(domainFields.defaults),
        },
        strict,
      ),
      status: Type.Optional(Type.Unknown()),
    },
    strict,
  ),
);
