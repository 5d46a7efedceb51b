/**
 * Is a pod in the mesh? Pure: enters the pod, the labels of its namespace and the agent's settings; leaves a decision with
 * its reason (control-plane-contract section 1.1). The plugin and the agent both ask here, so that they never disagree.
 *
 * E1  the pod's own label beats its namespace's.
 * E2  what can never be captured is told first, so that the reason given is the one to act on.
 * E3  `wait` is not `skip`: the same pod is asked about again at its next event.
 */

export const DATAPLANE_MODE = 'istio.io/dataplane-mode';
export const SIDECAR_STATUS = 'sidecar.istio.io/status';

/** What is known of a pod; the fields of its Kubernetes object. */
export type PodFacts = {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly hostNetwork: boolean;
  /** `status.phase`: Pending, Running, Succeeded, Failed or Unknown. */
  readonly phase: string;
  readonly podIps: readonly string[];
};

export type EnrolmentSettings = {
  /** Labels of the pod's namespace. */
  readonly namespaceLabels: Readonly<Record<string, string>>;
  /** @default ['kube-system'] */
  readonly excludedNamespaces?: readonly string[];
  /** Where the mesh itself lives. @default 'clearmesh-system' */
  readonly systemNamespace?: string;
};

export type SkipReason =
  | 'host-network'
  | 'sidecar'
  | 'excluded-namespace'
  | 'own-proxy'
  | 'opted-out'
  | 'not-selected'
  | 'finished';

export type Enrolment =
  | { readonly kind: 'capture'; readonly reason: 'pod-label' | 'namespace-label'; readonly explanation: string }
  | { readonly kind: 'skip'; readonly reason: SkipReason; readonly explanation: string }
  | { readonly kind: 'wait'; readonly reason: 'no-address'; readonly explanation: string };

/** Decides about one pod as it is now. */
export function decideEnrolment(pod: PodFacts, settings: EnrolmentSettings): Enrolment {
  const barred = barrierOf(pod, settings);
  if (barred !== undefined) return barred;
  const selection = selectionOf(pod, settings.namespaceLabels);
  if (selection.kind !== 'capture') return selection;
  if (pod.phase === 'Succeeded' || pod.phase === 'Failed') {
    return skip('finished', `phase is ${pod.phase}: it has no traffic any more`);
  }
  if (pod.podIps.length === 0) return { kind: 'wait', reason: 'no-address', explanation: 'it has no pod IP yet' };
  return selection;
}

/** What no label can override. */
function barrierOf(pod: PodFacts, settings: EnrolmentSettings): Enrolment | undefined {
  const { excludedNamespaces = ['kube-system'], systemNamespace = 'clearmesh-system' } = settings;
  if (pod.hostNetwork) return skip('host-network', 'hostNetwork is true: its traffic is the node’s');
  if (SIDECAR_STATUS in pod.annotations) return skip('sidecar', `annotation ${SIDECAR_STATUS} is set: its sidecar is its proxy`);
  if (excludedNamespaces.includes(pod.namespace)) return skip('excluded-namespace', `namespace ${pod.namespace} is excluded`);
  if (pod.namespace === systemNamespace && pod.labels['app'] === 'ztunnel') {
    return skip('own-proxy', 'it is the node proxy itself');
  }
  return undefined;
}

function selectionOf(pod: PodFacts, namespaceLabels: Readonly<Record<string, string>>): Enrolment {
  const own = pod.labels[DATAPLANE_MODE];
  if (own === 'ambient') return { kind: 'capture', reason: 'pod-label', explanation: `pod label ${DATAPLANE_MODE}=ambient` };
  if (own === 'none') return skip('opted-out', `pod label ${DATAPLANE_MODE}=none`);
  if (namespaceLabels[DATAPLANE_MODE] === 'ambient') {
    return { kind: 'capture', reason: 'namespace-label', explanation: `namespace label ${DATAPLANE_MODE}=ambient` };
  }
  return skip('not-selected', `neither pod nor namespace has label ${DATAPLANE_MODE}=ambient`);
}

function skip(reason: SkipReason, explanation: string): Enrolment {
  return { kind: 'skip', reason, explanation };
}
