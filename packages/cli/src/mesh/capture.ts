/** Whether a pod belongs to the mesh, and whether it is in it already. Pure; the decision is the node agent's own. */
import { podAddresses } from '@clearmesh/control-plane/manifest/pod';
import type { Collections } from '@clearmesh/control-plane/manifest/collections';
import type { PodManifest } from '@clearmesh/control-plane/manifest/pod';
import { decideEnrolment } from '@clearmesh/node-agent/enrol/enrolment';
import type { Enrolment } from '@clearmesh/node-agent/enrol/enrolment';

/**
 * `captured`: rules and proxy are there; `pending`: rules are, the proxy has not taken the pod, and its traffic is refused;
 * `own`: it speaks HBONE itself, as waypoints do; `none`: its traffic is not the mesh's.
 */
export type Capture = 'captured' | 'pending' | 'own' | 'none';

export function enrolmentOf(pod: PodManifest, namespaces: Collections['namespaces'], systemNamespace: string): Enrolment {
  const { name, namespace, labels = {}, annotations = {} } = pod.metadata;
  const facts = {
    name,
    namespace,
    labels,
    annotations,
    hostNetwork: pod.spec?.hostNetwork === true,
    phase: pod.status?.phase ?? 'Pending',
    podIps: podAddresses(pod),
  };
  return decideEnrolment(facts, { namespaceLabels: namespaces.get(namespace)?.metadata.labels ?? {}, systemNamespace });
}

/** What the node agent has written; a label is a wish only. */
export function captureOf({ metadata: { labels, annotations } }: PodManifest): Capture {
  if (labels?.['networking.istio.io/tunnel'] === 'http') return 'own';
  const written = annotations?.['ambient.istio.io/redirection'];
  return written === 'enabled' ? 'captured' : written === 'pending' ? 'pending' : 'none';
}
