/**
 * What the derivation is told besides the objects. Each place where Clearmesh decides differently from upstream on
 * purpose is an option, so that data recorded from upstream tests the rest of the conversion.
 */

export type DeriveOptions = {
  /** @default 'Kubernetes' */
  readonly clusterId: string;
  /** DNS domain of services. @default 'cluster.local' */
  readonly domain: string;
  /** @default 'cluster.local' */
  readonly trustDomain: string;
  /** Network of all pods and services; "" where there is one only. @default '' */
  readonly network: string;
  /** Namespace whose policies apply to the whole mesh. @default 'clearmesh-system' */
  readonly rootNamespace: string;
  /** Policies labelled `istio.io/rev` with another name are left to that revision. @default 'default' */
  readonly revision: string;
  /** Mode of workloads that no PeerAuthentication names. @default 'STRICT' */
  readonly defaultMtls: 'STRICT' | 'PERMISSIVE';
  /** A PERMISSIVE mode without `clearmesh.io/permissive-until` counts as STRICT. @default true */
  readonly requirePermissiveExpiry: boolean;
  /** DENY rules with layer-7 fields: deny the whole layer-4 match, or drop what cannot be evaluated. @default 'deny-l4-match' */
  readonly l7Deny: 'deny-l4-match' | 'upstream';
  /** `selector: {}` of an AuthorizationPolicy: all of the namespace, or (upstream) no workload at all. @default 'namespace-wide' */
  readonly emptySelector: 'namespace-wide' | 'upstream';
  /** Enforce `trustDomains` and `notTrustDomains` at layer 4. @default true */
  readonly trustDomainsAtL4: boolean;
  /** Dry-run policies are sent, and only logged by the node proxy; or withheld. @default 'send' */
  readonly dryRun: 'send' | 'withhold';
  /** A waypoint that is named but not usable: required all the same, or (upstream) left out, so that traffic goes direct. @default 'required' */
  readonly waypointBinding: 'required' | 'upstream';
};

export const defaultDeriveOptions: DeriveOptions = {
  clusterId: 'Kubernetes',
  domain: 'cluster.local',
  trustDomain: 'cluster.local',
  network: '',
  rootNamespace: 'clearmesh-system',
  revision: 'default',
  defaultMtls: 'STRICT',
  requirePermissiveExpiry: true,
  l7Deny: 'deny-l4-match',
  emptySelector: 'namespace-wide',
  trustDomainsAtL4: true,
  dryRun: 'send',
  waypointBinding: 'required',
};
