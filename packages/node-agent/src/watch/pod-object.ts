/** A pod and a namespace as far as the agent reads them, out of the objects of the API. Pure; parsed once, at the edge. */
import type { PodFacts } from '../enrol/enrolment.ts';

export type NodePod = PodFacts & {
  readonly uid: string;
  readonly serviceAccount: string;
  /** Asked to end; its containers may still run. */
  readonly terminating: boolean;
};

type Field = { readonly [key: string]: unknown };

/** A namespace's labels by its name. */
export type NamespaceLabels = { readonly name: string; readonly labels: Readonly<Record<string, string>> };

/** The annotation that names the pod's cgroup where the pod comes from a file (see cgroup.ts). */
const CONFIG_HASH = 'kubernetes.io/config.hash';

/** `undefined` for what is no pod. */
export function readPod(object: unknown): NodePod | undefined {
  const { metadata, spec, status } = fields(object);
  const { name, namespace, uid, labels, annotations, deletionTimestamp } = fields(metadata);
  if (typeof name !== 'string' || typeof namespace !== 'string' || typeof uid !== 'string') return undefined;
  const { hostNetwork, serviceAccountName } = fields(spec);
  const { phase } = fields(status);
  return {
    name,
    namespace,
    uid,
    labels: texts(labels),
    annotations: texts(annotations),
    hostNetwork: hostNetwork === true,
    serviceAccount: typeof serviceAccountName === 'string' && serviceAccountName !== '' ? serviceAccountName : 'default',
    phase: typeof phase === 'string' ? phase : 'Unknown',
    podIps: ipsOf(fields(status)),
    terminating: deletionTimestamp !== undefined,
  };
}

/** `undefined` for what is no namespace. */
export function readNamespace(object: unknown): NamespaceLabels | undefined {
  const { name, labels } = fields(fields(object)['metadata']);
  return typeof name === 'string' ? { name, labels: texts(labels) } : undefined;
}

/** What the pod's cgroup may be named by. */
export function cgroupKeys(pod: NodePod): readonly string[] {
  const hash = pod.annotations[CONFIG_HASH];
  return hash === undefined ? [pod.uid] : [pod.uid, hash];
}

function ipsOf({ podIPs, podIP }: Field): readonly string[] {
  const all = Array.isArray(podIPs) ? podIPs.map((entry: unknown) => fields(entry)['ip']) : [podIP];
  return all.filter((ip) => typeof ip === 'string' && ip !== '') as readonly string[];
}

function texts(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(fields(value)).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

function fields(value: unknown): Field {
  return typeof value === 'object' && value !== null ? (value as Field) : {};
}
