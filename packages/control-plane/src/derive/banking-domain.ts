/**
 * What a BankingDomain says, as the objects that would say it in its place.
 *
 * N1  Pure. What a namespace, a Gateway or a policy says itself is never changed: a domain is where nothing else is said.
 * N2  Of two domains with one namespace the first by name counts; a source refuses the second before.
 * N3  One whose namespaces cannot be read is for all of the mesh, but the root namespace and those of other domains.
 */
import { objectName } from '../manifest/collections.ts';
import { tunnelOf } from './tunnel.ts';
import { useWaypointLabel, useWaypointNamespaceLabel } from './waypoint-reference.ts';
import type { BankingDomainManifest } from '../manifest/banking-domain.ts';
import type { Collections } from '../manifest/collections.ts';
import type { GatewayManifest } from '../manifest/gateway.ts';
import type { Labels } from '../manifest/metadata.ts';
import type { NamespaceManifest } from '../manifest/namespace.ts';
import type { PodManifest } from '../manifest/pod.ts';
import type { ResiliencePolicyManifest } from '../manifest/resilience-policy.ts';
import type { DeriveOptions } from './options.ts';

/** Label of a Gateway: how much depends on what its waypoint serves. */
export const criticalityLabel = 'clearmesh.io/criticality';

/** With the labels and the policies that domains stand for. */
export function withDomains(collections: Collections, { rootNamespace }: Pick<DeriveOptions, 'rootNamespace'>): Collections {
  const { bankingDomains } = collections;
  if (bankingDomains.length === 0) return collections;
  return {
    ...collections,
    namespaces: new Map([
      ...collections.namespaces,
      ...bankingDomains
        .toReversed()
        .flatMap((domain) => labelled(domain, othersInMesh(domain, collections, rootNamespace), collections)),
    ]),
    gateways: gatewaysOfDomains(collections),
    resiliencePolicies: [...collections.resiliencePolicies, ...bankingDomains.flatMap(domainPolicies)],
  };
}

/** With the criticality of the domains that they serve. */
export function gatewaysOfDomains({ gateways, bankingDomains }: Collections): readonly GatewayManifest[] {
  const said = new Map(
    bankingDomains
      .toReversed()
      .flatMap(({ spec: { waypoint, criticality } }) =>
        waypoint === undefined || criticality === undefined ? [] : [[objectName(waypoint), criticality] as const],
      ),
  );
  return gateways.map((gateway) => {
    const criticality = said.get(objectName(gateway.metadata));
    const { labels = {} } = gateway.metadata;
    if (criticality === undefined || labels[criticalityLabel] !== undefined) return gateway;
    return { ...gateway, metadata: { ...gateway.metadata, labels: { ...labels, [criticalityLabel]: criticality } } };
  });
}

/** Its defaults, as policies for its namespaces: of equal ones the older decides, so that these are younger than any. */
export function domainPolicies({ metadata, spec }: BankingDomainManifest): readonly ResiliencePolicyManifest[] {
  const { resilience } = spec.defaults ?? {};
  if (resilience === undefined) return [];
  return spec.namespaces.map((namespace) => ({
    metadata: { name: metadata.name, namespace, creationTimestamp: '9999-12-31T23:59:59Z' },
    spec: { ...resilience, targetRefs: [{ group: '', kind: 'Namespace', name: namespace }] },
  }));
}

/** N3. Of what is outside of the mesh no waypoint keeps anybody out. */
function othersInMesh({ standIn }: BankingDomainManifest, around: Collections, rootNamespace: string): readonly string[] {
  if (standIn !== 'mesh') return [];
  const taken = new Set([rootNamespace, ...around.bankingDomains.flatMap(({ spec }) => spec.namespaces)]);
  const ofPods = around.pods.filter(isInMesh).map(({ metadata }) => metadata.namespace);
  const labelled = [...around.namespaces.values()]
    .filter(({ metadata }) => isEnrolled(metadata))
    .map(({ metadata }) => metadata.name);
  return [...new Set([...labelled, ...ofPods])].filter((name) => !taken.has(name)).sort();
}

function isInMesh({ metadata }: PodManifest): boolean {
  return isEnrolled(metadata) || tunnelOf(metadata.labels, metadata.annotations).tunnelProtocol === 'HBONE';
}

function isEnrolled({ labels }: { readonly labels?: Labels }): boolean {
  return labels?.['istio.io/dataplane-mode'] === 'ambient';
}

/** In a directory a namespace need not be written down. */
function labelled(
  { spec: { namespaces, waypoint } }: BankingDomainManifest,
  others: readonly string[],
  around: Collections,
): readonly (readonly [string, NamespaceManifest])[] {
  if (waypoint === undefined) return [];
  return [...namespaces, ...others].flatMap((name) => {
    const { metadata } = around.namespaces.get(name) ?? { metadata: { name } };
    if ((metadata.labels?.[useWaypointLabel] ?? '') !== '') return [];
    const labels = { ...metadata.labels, [useWaypointLabel]: waypoint.name, [useWaypointNamespaceLabel]: waypoint.namespace };
    return [[name, { metadata: { ...metadata, labels } }] as const];
  });
}
