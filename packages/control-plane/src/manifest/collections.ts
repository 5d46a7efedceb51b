/** The configuration as the derivation reads it: immutable, typed, sorted; a new one for each change. */
import type { AuthorizationPolicyManifest } from './authorization-policy.ts';
import type { EndpointSliceManifest } from './endpoint-slice.ts';
import type { BankingDomainManifest } from './banking-domain.ts';
import type { FaultExperimentManifest } from './fault-experiment.ts';
import type { GatewayManifest } from './gateway.ts';
import type { GrpcRouteManifest } from './grpc-route.ts';
import type { HttpRouteManifest } from './http-route.ts';
import type { NamespacedMetadata } from './metadata.ts';
import type { NamespaceManifest } from './namespace.ts';
import type { NodeManifest } from './node.ts';
import type { OpaPolicyManifest } from './opa-policy.ts';
import type { PeerAuthenticationManifest } from './peer-authentication.ts';
import type { PodManifest } from './pod.ts';
import type { RateLimitPolicyManifest } from './rate-limit-policy.ts';
import type { RequestAuthenticationManifest } from './request-authentication.ts';
import type { ResiliencePolicyManifest } from './resilience-policy.ts';
import type { ServiceEntryManifest } from './service-entry.ts';
import type { ServiceManifest } from './service.ts';
import type { WorkloadEntryManifest } from './workload-entry.ts';

export type Collections = {
  readonly namespaces: ReadonlyMap<string, NamespaceManifest>;
  readonly nodes: ReadonlyMap<string, NodeManifest>;
  /** Each list is sorted by namespace, then name. */
  readonly pods: readonly PodManifest[];
  readonly services: readonly ServiceManifest[];
  readonly endpointSlices: readonly EndpointSliceManifest[];
  readonly serviceEntries: readonly ServiceEntryManifest[];
  readonly workloadEntries: readonly WorkloadEntryManifest[];
  readonly authorizationPolicies: readonly AuthorizationPolicyManifest[];
  readonly peerAuthentications: readonly PeerAuthenticationManifest[];
  readonly gateways: readonly GatewayManifest[];
  readonly httpRoutes: readonly HttpRouteManifest[];
  readonly grpcRoutes: readonly GrpcRouteManifest[];
  readonly requestAuthentications: readonly RequestAuthenticationManifest[];
  readonly resiliencePolicies: readonly ResiliencePolicyManifest[];
  readonly rateLimitPolicies: readonly RateLimitPolicyManifest[];
  readonly opaPolicies: readonly OpaPolicyManifest[];
  readonly faultExperiments: readonly FaultExperimentManifest[];
  /** Sorted by name. */
  readonly bankingDomains: readonly BankingDomainManifest[];
};

/** One object with its kind, after its schema let it through. */
export type Manifest =
  | { readonly kind: 'Namespace'; readonly value: NamespaceManifest }
  | { readonly kind: 'Node'; readonly value: NodeManifest }
  | { readonly kind: 'Pod'; readonly value: PodManifest }
  | { readonly kind: 'Service'; readonly value: ServiceManifest }
  | { readonly kind: 'EndpointSlice'; readonly value: EndpointSliceManifest }
  | { readonly kind: 'ServiceEntry'; readonly value: ServiceEntryManifest }
  | { readonly kind: 'WorkloadEntry'; readonly value: WorkloadEntryManifest }
  | { readonly kind: 'ServiceAccount'; readonly value: { readonly metadata: NamespacedMetadata } }
  | { readonly kind: 'AuthorizationPolicy'; readonly value: AuthorizationPolicyManifest }
  | { readonly kind: 'PeerAuthentication'; readonly value: PeerAuthenticationManifest }
  | { readonly kind: 'Gateway'; readonly value: GatewayManifest }
  | { readonly kind: 'HTTPRoute'; readonly value: HttpRouteManifest }
  | { readonly kind: 'GRPCRoute'; readonly value: GrpcRouteManifest }
  | { readonly kind: 'RequestAuthentication'; readonly value: RequestAuthenticationManifest }
  | { readonly kind: 'ResiliencePolicy'; readonly value: ResiliencePolicyManifest }
  | { readonly kind: 'RateLimitPolicy'; readonly value: RateLimitPolicyManifest }
  | { readonly kind: 'OpaPolicy'; readonly value: OpaPolicyManifest }
  | { readonly kind: 'FaultExperiment'; readonly value: FaultExperimentManifest }
  | { readonly kind: 'BankingDomain'; readonly value: BankingDomainManifest }
  | { readonly kind: 'ReferenceGrant'; readonly value: { readonly metadata: NamespacedMetadata } };

/** Sorts objects into their collections; of two with one name the last counts (a source refuses such input before). */
export function collect(manifests: Iterable<Manifest>): Collections {
  const byKind = Map.groupBy(manifests, ({ kind }) => kind);
  const all = <K extends NamespacedKind>(kind: K): readonly Of<K>[] => sorted(valuesOf(byKind.get(kind), kind));
  return {
    namespaces: new Map(valuesOf(byKind.get('Namespace'), 'Namespace').map((value) => [value.metadata.name, value])),
    nodes: new Map(valuesOf(byKind.get('Node'), 'Node').map((value) => [value.metadata.name, value])),
    pods: all('Pod'),
    services: all('Service'),
    endpointSlices: all('EndpointSlice'),
    serviceEntries: all('ServiceEntry'),
    workloadEntries: all('WorkloadEntry'),
    authorizationPolicies: all('AuthorizationPolicy'),
    peerAuthentications: all('PeerAuthentication'),
    gateways: all('Gateway'),
    httpRoutes: all('HTTPRoute'),
    grpcRoutes: all('GRPCRoute'),
    requestAuthentications: all('RequestAuthentication'),
    resiliencePolicies: all('ResiliencePolicy'),
    rateLimitPolicies: all('RateLimitPolicy'),
    opaPolicies: all('OpaPolicy'),
    faultExperiments: all('FaultExperiment'),
    bankingDomains: sorted(valuesOf(byKind.get('BankingDomain'), 'BankingDomain')),
  };
}

type Of<K extends Manifest['kind']> = Extract<Manifest, { readonly kind: K }>['value'];
type NamespacedKind = Exclude<Manifest['kind'], 'Namespace' | 'Node' | 'BankingDomain'>;

function valuesOf<K extends Manifest['kind']>(manifests: readonly Manifest[] = [], kind: K): readonly Of<K>[] {
  return manifests.flatMap((manifest) => (manifest.kind === kind ? [manifest.value as Of<K>] : []));
}

/** `namespace/name`, or the name alone for cluster-scoped objects. */
export function objectName(metadata: { readonly name: string; readonly namespace?: string }): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

type Named = { readonly metadata: { readonly name: string; readonly namespace?: string } };

/** By code unit, not by locale: the order must not depend on the machine. */
function sorted<T extends Named>(objects: readonly T[]): readonly T[] {
  const keyed = new Map(objects.map((object) => [objectName(object.metadata), object]));
  return [...keyed].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
}
