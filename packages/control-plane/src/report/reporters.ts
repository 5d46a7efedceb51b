/** Which conditions of ours stand on which kind, who writes them, and how. */

export type StatusReporter = {
  /** Field manager (control-plane-contract section 1.4: one a reporter). */
  readonly manager: string;
  /** Types of conditions that are ours to take away again. */
  readonly conditions: readonly string[];
  /** What an object that is wrong is told under. */
  readonly rejection: string;
  /**
   * `apply`: the lists of the status are maps by type or name, and the server keeps what others wrote in them.
   * `replace`: they are atomic; we keep what others wrote, and the server makes sure that it was still that.
   */
  readonly write: 'apply' | 'replace';
};

const policy: StatusReporter = {
  manager: 'clearmesh-policy',
  conditions: ['Accepted'],
  rejection: 'Accepted',
  write: 'apply',
};
/** Istio's definitions do not say how their lists are merged. */
const istioPolicy: StatusReporter = { ...policy, write: 'replace' };
const route: StatusReporter = { manager: 'clearmesh-route', conditions: [], rejection: 'Accepted', write: 'replace' };

const reporters: Readonly<Record<string, StatusReporter>> = {
  Service: {
    manager: 'clearmesh-service',
    conditions: ['istio.io/WaypointBound', 'clearmesh.io/Accepted'],
    rejection: 'clearmesh.io/Accepted',
    write: 'apply',
  },
  // Istio's definitions say of the conditions of entries how they are merged, and of the addresses not.
  ServiceEntry: {
    manager: 'clearmesh-service-entry',
    conditions: ['istio.io/WaypointBound', 'istio.io/WaypointMissing', 'istio.io/VisibilityApplied', 'clearmesh.io/Accepted'],
    rejection: 'clearmesh.io/Accepted',
    write: 'replace',
  },
  WorkloadEntry: {
    manager: 'clearmesh-workload-entry',
    conditions: ['istio.io/WaypointBound', 'clearmesh.io/Accepted'],
    rejection: 'clearmesh.io/Accepted',
    write: 'replace',
  },
  // No types: those of a Gateway that changed its class are its next controller's.
  Gateway: { manager: 'clearmesh-gateway', conditions: [], rejection: 'Accepted', write: 'apply' },
  AuthorizationPolicy: {
    manager: 'clearmesh-authorization',
    conditions: ['ZtunnelAccepted', 'WaypointAccepted'],
    rejection: 'ZtunnelAccepted',
    write: 'replace',
  },
  PeerAuthentication: istioPolicy,
  RequestAuthentication: istioPolicy,
  HTTPRoute: route,
  GRPCRoute: route,
};

/** Kinds of our own are all alike. */
export function reporterOf(kind: string): StatusReporter {
  return reporters[kind] ?? policy;
}
