/** The kinds a source accepts, and how a checked value becomes a manifest. */
import { authorizationPolicyKind } from './authorization-policy.ts';
import { endpointSliceKind } from './endpoint-slice.ts';
import { bankingDomainKind } from './banking-domain.ts';
import { faultExperimentKind } from './fault-experiment.ts';
import { gatewayKind } from './gateway.ts';
import { grpcRouteKind } from './grpc-route.ts';
import { httpRouteKind } from './http-route.ts';
import { namespaceKind } from './namespace.ts';
import { nodeKind } from './node.ts';
import { opaPolicyKind } from './opa-policy.ts';
import { peerAuthenticationKind } from './peer-authentication.ts';
import { podKind } from './pod.ts';
import { rateLimitPolicyKind } from './rate-limit-policy.ts';
import { referenceGrantKind } from './reference-grant.ts';
import { requestAuthenticationKind } from './request-authentication.ts';
import { resiliencePolicyKind } from './resilience-policy.ts';
import { serviceAccountKind } from './service-account.ts';
import { serviceEntryKind } from './service-entry.ts';
import { serviceKind } from './service.ts';
import { workloadEntryKind } from './workload-entry.ts';
import type { Manifest } from './collections.ts';
import type { Kind } from './kind.ts';

/** A supported kind, and its constructor. */
export type SupportedKind = Kind<unknown> & { readonly manifest: (checked: unknown) => Manifest };

export const supportedKinds: readonly SupportedKind[] = [
  { ...namespaceKind, manifest: (v) => ({ kind: 'Namespace', value: namespaceKind.as(v) }) },
  { ...nodeKind, manifest: (v) => ({ kind: 'Node', value: nodeKind.as(v) }) },
  { ...podKind, manifest: (v) => ({ kind: 'Pod', value: podKind.as(v) }) },
  { ...serviceKind, manifest: (v) => ({ kind: 'Service', value: serviceKind.as(v) }) },
  { ...endpointSliceKind, manifest: (v) => ({ kind: 'EndpointSlice', value: endpointSliceKind.as(v) }) },
  { ...serviceEntryKind, manifest: (v) => ({ kind: 'ServiceEntry', value: serviceEntryKind.as(v) }) },
  { ...workloadEntryKind, manifest: (v) => ({ kind: 'WorkloadEntry', value: workloadEntryKind.as(v) }) },
  { ...serviceAccountKind, manifest: (v) => ({ kind: 'ServiceAccount', value: serviceAccountKind.as(v) }) },
  { ...authorizationPolicyKind, manifest: (v) => ({ kind: 'AuthorizationPolicy', value: authorizationPolicyKind.as(v) }) },
  { ...peerAuthenticationKind, manifest: (v) => ({ kind: 'PeerAuthentication', value: peerAuthenticationKind.as(v) }) },
  { ...gatewayKind, manifest: (v) => ({ kind: 'Gateway', value: gatewayKind.as(v) }) },
  { ...httpRouteKind, manifest: (v) => ({ kind: 'HTTPRoute', value: httpRouteKind.as(v) }) },
  { ...grpcRouteKind, manifest: (v) => ({ kind: 'GRPCRoute', value: grpcRouteKind.as(v) }) },
  { ...referenceGrantKind, manifest: (v) => ({ kind: 'ReferenceGrant', value: referenceGrantKind.as(v) }) },
  { ...requestAuthenticationKind, manifest: (v) => ({ kind: 'RequestAuthentication', value: requestAuthenticationKind.as(v) }) },
  { ...resiliencePolicyKind, manifest: (v) => ({ kind: 'ResiliencePolicy', value: resiliencePolicyKind.as(v) }) },
  { ...rateLimitPolicyKind, manifest: (v) => ({ kind: 'RateLimitPolicy', value: rateLimitPolicyKind.as(v) }) },
  { ...opaPolicyKind, manifest: (v) => ({ kind: 'OpaPolicy', value: opaPolicyKind.as(v) }) },
  { ...faultExperimentKind, manifest: (v) => ({ kind: 'FaultExperiment', value: faultExperimentKind.as(v) }) },
  { ...bankingDomainKind, manifest: (v) => ({ kind: 'BankingDomain', value: bankingDomainKind.as(v) }) },
];

/** The kind of an `apiVersion` and `kind`, or `undefined`. */
export function findKind(apiVersion: string, kind: string): SupportedKind | undefined {
  return supportedKinds.find((entry) => entry.kind === kind && entry.apiVersions.includes(apiVersion));
}
