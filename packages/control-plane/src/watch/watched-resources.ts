/** What is watched in a cluster: one line a kind. */
import { supportedKinds } from '../manifest/kinds.ts';
import type { Manifest } from '../manifest/collections.ts';
import type { SupportedKind } from '../manifest/kinds.ts';
import type { Resource } from '../kubernetes/resource.ts';

type WatchedResource = {
  readonly plural: string;
  /**
   * Nothing is published while the API server has the resource and does not let us read it: without it there is no mesh,
   * or a mesh that lets in whom a policy keeps out. @default false
   */
  readonly required?: boolean;
  /** Which objects are read. @default all */
  readonly labelSelector?: string;
  /** Conditions of ours stand in its status. @default false */
  readonly reported?: boolean;
};

/** Slices that Kubernetes makes of pods: the derivation finds the pods behind a Service by itself. */
const notOfPods = 'endpointslice.kubernetes.io/managed-by!=endpointslice-controller.k8s.io';

/** `undefined`: not read. */
const watchedResources: Readonly<Record<Manifest['kind'], WatchedResource | undefined>> = {
  Namespace: { plural: 'namespaces', required: true },
  Node: { plural: 'nodes' },
  Pod: { plural: 'pods', required: true },
  Service: { plural: 'services', required: true, reported: true },
  EndpointSlice: { plural: 'endpointslices', labelSelector: notOfPods },
  // Unread, a host behind a waypoint would be reached without it.
  ServiceEntry: { plural: 'serviceentries', required: true, reported: true },
  WorkloadEntry: { plural: 'workloadentries', required: true, reported: true },
  // Identities come from pods.
  ServiceAccount: undefined,
  AuthorizationPolicy: { plural: 'authorizationpolicies', required: true, reported: true },
  PeerAuthentication: { plural: 'peerauthentications', required: true, reported: true },
  RequestAuthentication: { plural: 'requestauthentications', required: true, reported: true },
  Gateway: { plural: 'gateways', required: true, reported: true },
  HTTPRoute: { plural: 'httproutes', reported: true },
  GRPCRoute: { plural: 'grpcroutes', reported: true },
  ReferenceGrant: { plural: 'referencegrants' },
  ResiliencePolicy: { plural: 'resiliencepolicies', reported: true },
  RateLimitPolicy: { plural: 'ratelimitpolicies', reported: true },
  OpaPolicy: { plural: 'opapolicies', required: true, reported: true },
  // Without it, its namespaces would be open to whom its waypoint keeps out.
  BankingDomain: { plural: 'bankingdomains', required: true, reported: true },
  FaultExperiment: { plural: 'faultexperiments', reported: true },
};

/** What the API server calls its collection; kinds that are watched only. */
export function pluralOf(kind: string): string {
  const plural = watchedResources[kind as Manifest['kind']]?.plural;
  if (plural === undefined) throw new Error(`${kind} is not watched`);
  return plural;
}

export type WatchedKind = WatchedResource & {
  readonly kind: SupportedKind;
  /** The newest version first. */
  readonly resources: readonly [Resource, ...Resource[]];
};

export function watchedKinds(): readonly WatchedKind[] {
  return supportedKinds.flatMap((kind): readonly WatchedKind[] => {
    const watched = watchedResources[kind.kind as Manifest['kind']];
    if (watched === undefined) return [];
    const [newest, ...older] = kind.apiVersions.map((apiVersion) => ({ apiVersion, kind: kind.kind, plural: watched.plural }));
    return newest === undefined ? [] : [{ ...watched, kind, resources: [newest, ...older] }];
  });
}
