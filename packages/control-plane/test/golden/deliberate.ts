/**
 * Where Clearmesh serves something else than upstream on purpose, to the field. A difference that is not here fails its
 * test, and so does an entry here that differs in nothing.
 */

export type Deviation = {
  readonly scenario: string;
  readonly resource: string;
  /** `*`: the whole resource. */
  readonly field: string;
  readonly reason: string;
};

const closed = 'a waypoint that is named is required: missing, unready or unfit, calls are refused (decision 1)';
const ownName = 'a waypoint is found by the name of its Service, whatever addresses its Gateway shows';
const wholeMatch = 'a DENY denies the whole layer-4 match of what layer 4 cannot see (decision 2)';
const emptySelector = '`selector: {}` means the namespace: upstream sends it, and no workload lists it, a DENY too';
const untold = 'nobody enforces action CUSTOM, and its author is told so';
const overlays =
  'that the ConfigMap of infrastructure.parametersRef is missing is found by the waypoint deployer, which has no part in this test (deploy/golden-waypoint.test.ts has)';
const unserved = 'a listener that nobody serves is not programmed';
const provable = 'a peer proves a SPIFFE id; a name of another kind can never match';

/** Of what is served, whatever the options. */
export const servedDeviations: readonly Deviation[] = [
  ...of('service-entry-static', 'subject_alt_names', provable, ['address pay-se-static/swift.partner.example']),
];

/** Of what is served, as Clearmesh ships, beside {@link servedDeviations}. */
export const shippedServedDeviations: readonly Deviation[] = [
  ...of('authz-l7-deny', 'groups', wholeMatch, [
    'authorization pay-az-deny7/methods',
    'authorization pay-az-deny7/not-fields',
    'authorization pay-az-deny7/ns-and-method',
    'authorization pay-az-deny7/only-when-header',
    'authorization pay-az-deny7/two-operations',
    'authorization pay-az-deny7/two-rules',
    'authorization pay-az-deny7/when-header',
  ]),
  ...of('authz-scope', 'scope', emptySelector, ['authorization ledger-az-scope/empty-selector']),
  ...of('waypoint-by-address', 'waypoint', closed, ['address fraud-wp-addr/via-foreign.fraud-wp-addr.svc.cluster.local']),
  ...of('waypoint-by-address', 'waypoint', ownName, ['address fraud-wp-addr/via-ip-only.fraud-wp-addr.svc.cluster.local']),
  ...of('waypoint-for', 'waypoint', closed, [
    'address Kubernetes//Pod/ledger-wp-for/pod-none',
    'address Kubernetes//Pod/ledger-wp-for/pod-service',
    'address Kubernetes/networking.istio.io/WorkloadEntry/ledger-wp-for/vm-service',
    'address ledger-wp-for/svc-none.ledger-wp-for.svc.cluster.local',
    'address ledger-wp-for/svc-workload.ledger-wp-for.svc.cluster.local',
  ]),
  ...of('waypoint-namespace', 'waypoint', closed, [
    'address Kubernetes//Pod/ledger-wp-ns/pinned',
    'address ledger-wp-ns/astray.ledger-wp-ns.svc.cluster.local',
  ]),
  ...of('waypoint-service', 'waypoint', closed, [
    'address pay-wp-service/astray.pay-wp-service.svc.cluster.local',
    'address pay-wp-service/payments.pay-wp-service.svc.cluster.local',
    'address pay-wp-service/plain.pay-wp-service.svc.cluster.local',
  ]),
];


/** Of what is reported, whatever the options. */
export const statusDeviations: readonly Deviation[] = [
  ...of('authz-shape', '*', untold, ['AuthorizationPolicy pay-az-shape/custom']),
  ...of('waypoint-deployment', 'Accepted', overlays, ['Gateway pay-wp-make/lost-options']),
  ...of('waypoint-deployment', 'Programmed', ownName, ['Gateway pay-wp-make/named']),
  ...of('waypoint-deployment', 'listener web Programmed', unserved, ['Gateway pay-wp-make/odd-listener']),
];

function of(scenario: string, field: string, reason: string, resources: readonly string[]): readonly Deviation[] {
  return resources.map((resource) => ({ scenario, resource, field, reason }));
}
