/** The kinds a source accepts, and how a checked value becomes a manifest. */
import { authorizationPolicyKind } from './authorization-policy.ts';
import { namespaceKind } from './namespace.ts';
import { nodeKind } from './node.ts';
import { peerAuthenticationKind } from './peer-authentication.ts';
import { podKind } from './pod.ts';
import { serviceAccountKind } from './service-account.ts';
import { serviceKind } from './service.ts';
import type { Manifest } from './collections.ts';
import type { Kind } from './kind.ts';

/** A supported kind, and its constructor. */
export type SupportedKind = Kind<unknown> & { readonly manifest: (checked: unknown) => Manifest };

export const supportedKinds: readonly SupportedKind[] = [
  { ...namespaceKind, manifest: (v) => ({ kind: 'Namespace', value: namespaceKind.as(v) }) },
  { ...nodeKind, manifest: (v) => ({ kind: 'Node', value: nodeKind.as(v) }) },
  { ...podKind, manifest: (v) => ({ kind: 'Pod', value: podKind.as(v) }) },
  { ...serviceKind, manifest: (v) => ({ kind: 'Service', value: serviceKind.as(v) }) },
  { ...serviceAccountKind, manifest: (v) => ({ kind: 'ServiceAccount', value: serviceAccountKind.as(v) }) },
  { ...authorizationPolicyKind, manifest: (v) => ({ kind: 'AuthorizationPolicy', value: authorizationPolicyKind.as(v) }) },
  { ...peerAuthenticationKind, manifest: (v) => ({ kind: 'PeerAuthentication', value: peerAuthenticationKind.as(v) }) },
];

/** The kind of an `apiVersion` and `kind`, or `undefined`. */
export function findKind(apiVersion: string, kind: string): SupportedKind | undefined {
  return supportedKinds.find((entry) => entry.kind === kind && entry.apiVersions.includes(apiVersion));
}
