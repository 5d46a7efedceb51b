/** One end of a connection: a pod with what the mesh knows of it. Pure. */
import { workloadName } from '@clearmesh/control-plane/derive/workload-name';
import { isFinished, serviceAccountOf } from '@clearmesh/control-plane/manifest/pod';
import type { PodManifest } from '@clearmesh/control-plane/manifest/pod';
import type { Enrolment } from '@clearmesh/node-agent/enrol/enrolment';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { podUid } from '@clearmesh/shared/model/names';
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import { sparseWorkload } from '@clearmesh/shared/model/sparse-workload';
import type { Workload } from '@clearmesh/shared/model/workload';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { captureOf, enrolmentOf } from '../mesh/capture.ts';
import type { Capture } from '../mesh/capture.ts';
import type { MeshView } from '../mesh/mesh-view.ts';
import type { FromReference } from './question.ts';

export type Party = {
  /** `namespace/pod`, or `namespace/sa:name` for an account without pods. */
  readonly name: string;
  readonly enrolment: Enrolment;
  readonly capture: Capture;
  readonly identity: SpiffeId;
  readonly node: string;
  /** Absent while the pod has no address. */
  readonly workload?: Workload;
};

/** Pods of one Deployment or account that are looked at, one by one. */
const maxCallers = 16;

export function partyOf(view: MeshView, pod: PodManifest): Party {
  const { clusterId, trustDomain, rootNamespace } = view.options;
  const { namespace, name } = pod.metadata;
  const workload = view.snapshot.workload(podUid(clusterId, namespace, name));
  return {
    name: `${namespace}/${name}`,
    enrolment: enrolmentOf(pod, view.collections.namespaces, rootNamespace),
    capture: captureOf(pod),
    identity: spiffeId({ trustDomain, namespace, serviceAccount: serviceAccountOf(pod) }),
    node: pod.spec?.nodeName ?? '',
    ...(workload === undefined ? {} : { workload }),
  };
}

/** Everybody whom the reference means. */
export function callers(view: MeshView, from: FromReference): readonly Party[] {
  const pods = view.collections.pods.filter((pod) => pod.metadata.namespace === from.namespace && !isFinished(pod));
  const meant = pods.filter((pod) => isMeant(pod, from)).slice(0, maxCallers);
  if (meant.length > 0) return meant.map((pod) => partyOf(view, pod));
  if (from.kind === 'account') return [accountParty(view, from)];
  const known = pods.map((pod) => (from.kind === 'pod' ? pod.metadata.name : workloadName(pod)));
  throw new MeshError('MESH-CONFIG-003', {
    message: `there is no ${from.kind} ${from.namespace}/${from.name} in ${view.origin}`,
    hint: known.length === 0 ? `Namespace ${from.namespace} has no pods that run.` : `There is ${listed(new Set(known))}.`,
  });
}

function isMeant(pod: PodManifest, { kind, name }: FromReference): boolean {
  switch (kind) {
    case 'pod':
      return pod.metadata.name === name;
    case 'deployment':
      return workloadName(pod) === name;
    case 'account':
      return serviceAccountOf(pod) === name;
  }
}

/** What puts the pod into the mesh. */
export function enrolChange({ name, enrolment }: Party): string {
  const [namespace = ''] = name.split('/');
  switch (enrolment.reason) {
    case 'opted-out':
      return `Take the label istio.io/dataplane-mode: none off ${name}, and label its namespace with ambient.`;
    case 'not-selected':
      return `Put the caller into the mesh: label namespace ${namespace} with istio.io/dataplane-mode: ambient.`;
    case 'host-network':
      return `${name} has the network of its node, and cannot be in the mesh: run it without hostNetwork.`;
    case 'sidecar':
      return `${name} has a sidecar, and is not captured: start it anew without.`;
    case 'excluded-namespace':
      return `Run the caller in another namespace: ${namespace} is excluded from the mesh.`;
    case 'pod-label':
    case 'namespace-label':
    case 'no-address':
      return `${name} is enrolled, and not captured: see whether node agent and ztunnel run on its node (clearmesh check).`;
    case 'own-proxy':
    case 'finished':
      return `Call from another pod: ${enrolment.explanation}.`;
    default:
      return unreachable(enrolment);
  }
}

/** Nobody runs as the account: what a captured pod of it could do. */
function accountParty({ options }: MeshView, { namespace, name }: FromReference): Party {
  const { trustDomain, network, clusterId } = options;
  // RFC 5737: no pod has it.
  const ip = parseIp('192.0.2.1');
  const workload = sparseWorkload({
    uid: podUid(clusterId, namespace, `sa:${name}`),
    name,
    namespace,
    addresses: ip === undefined ? [] : [ip],
    network,
    trustDomain,
    serviceAccount: name,
    clusterId,
  });
  const explanation = 'no pod runs as this account: a captured one is assumed';
  return {
    name: `${namespace}/sa:${name}`,
    enrolment: { kind: 'capture', reason: 'namespace-label', explanation },
    capture: 'captured',
    identity: spiffeId({ trustDomain, namespace, serviceAccount: name }),
    node: '',
    workload,
  };
}

export function listed(names: Iterable<string>): string {
  const all = [...names];
  return all.length <= 8 ? all.join(', ') : `${all.slice(0, 8).join(', ')} and ${all.length - 8} more`;
}
