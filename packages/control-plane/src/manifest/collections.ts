/** The configuration as the derivation reads it: immutable, typed, sorted; a new one for each change. */
import type { AuthorizationPolicyManifest } from './authorization-policy.ts';
import type { NamespacedMetadata } from './metadata.ts';
import type { NamespaceManifest } from './namespace.ts';
import type { NodeManifest } from './node.ts';
import type { PeerAuthenticationManifest } from './peer-authentication.ts';
import type { PodManifest } from './pod.ts';
import type { ServiceManifest } from './service.ts';

export type Collections = {
  readonly namespaces: ReadonlyMap<string, NamespaceManifest>;
  readonly nodes: ReadonlyMap<string, NodeManifest>;
  /** Each list is sorted by namespace, then name. */
  readonly pods: readonly PodManifest[];
  readonly services: readonly ServiceManifest[];
  readonly authorizationPolicies: readonly AuthorizationPolicyManifest[];
  readonly peerAuthentications: readonly PeerAuthenticationManifest[];
};

/** One object with its kind, after its schema let it through. */
export type Manifest =
  | { readonly kind: 'Namespace'; readonly value: NamespaceManifest }
  | { readonly kind: 'Node'; readonly value: NodeManifest }
  | { readonly kind: 'Pod'; readonly value: PodManifest }
  | { readonly kind: 'Service'; readonly value: ServiceManifest }
  | { readonly kind: 'ServiceAccount'; readonly value: { readonly metadata: NamespacedMetadata } }
  | { readonly kind: 'AuthorizationPolicy'; readonly value: AuthorizationPolicyManifest }
  | { readonly kind: 'PeerAuthentication'; readonly value: PeerAuthenticationManifest };

/** Sorts objects into their collections; of two with one name the last counts (a source refuses such input before). */
export function collect(manifests: Iterable<Manifest>): Collections {
  const all = [...manifests];
  return {
    namespaces: new Map(all.flatMap((m) => (m.kind === 'Namespace' ? [[m.value.metadata.name, m.value]] : []))),
    nodes: new Map(all.flatMap((m) => (m.kind === 'Node' ? [[m.value.metadata.name, m.value]] : []))),
    pods: sorted(all.flatMap((m) => (m.kind === 'Pod' ? [m.value] : []))),
    services: sorted(all.flatMap((m) => (m.kind === 'Service' ? [m.value] : []))),
    authorizationPolicies: sorted(all.flatMap((m) => (m.kind === 'AuthorizationPolicy' ? [m.value] : []))),
    peerAuthentications: sorted(all.flatMap((m) => (m.kind === 'PeerAuthentication' ? [m.value] : []))),
  };
}

/** `namespace/name`, or the name alone for cluster-scoped objects. */
export function objectName(metadata: { readonly name: string; readonly namespace?: string }): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

type Named = { readonly metadata: NamespacedMetadata };

/** By code unit, not by locale: the order must not depend on the machine. */
function sorted<T extends Named>(objects: T[]): readonly T[] {
  const keyed = new Map(objects.map((object) => [objectName(object.metadata), object]));
  return [...keyed].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
}
