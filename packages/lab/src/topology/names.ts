/**
 * Names of what a lab makes. `cm-<id>-` starts every namespace of the lab `<id>`; an id has no dash, so that no id's
 * prefix is the prefix of another and clean-up can go by names.
 */
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

const idPattern = /^[a-z0-9]{1,12}$/;
const labelPattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const subdomainPattern = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;

/** Longest pod name; with its namespace and the prefix it must fit a file name (NAME_MAX, 255 bytes). */
const maxPodNameLength = 150;

/** The node name that stands for the control plane's own namespace. */
export const controlName = 'control';

/** Where iproute2 keeps named network namespaces. */
export const namespaceDirectory = '/run/netns';

/** The prefix of every namespace of a lab. */
export function namespacePrefix(id: string): string {
  if (!idPattern.test(id)) throw invalid(`lab id ${JSON.stringify(id)}`, 'Use 1 to 12 lower-case letters and digits.');
  return `cm-${id}-`;
}

/** The namespace of a node, or of the control plane. */
export function nodeNamespace(id: string, node: string): string {
  if (!labelPattern.test(node)) throw invalid(`node name ${JSON.stringify(node)}`, 'Use a DNS label, e.g. node-a.');
  return `${namespacePrefix(id)}${node}`;
}

/** The namespace of a pod. The dot keeps it apart from nodes: a label, as node names and Kubernetes namespaces are, has none. */
export function podNamespace(id: string, namespace: string, pod: string): string {
  if (!labelPattern.test(namespace)) throw invalid(`pod namespace ${JSON.stringify(namespace)}`, 'Use a DNS label.');
  if (!subdomainPattern.test(pod) || pod.length > maxPodNameLength) {
    throw invalid(`pod name ${JSON.stringify(pod)}`, `Use a DNS name of at most ${maxPodNameLength} characters.`);
  }
  return `${namespacePrefix(id)}${namespace}.${pod}`;
}

/** The file that opens a namespace. */
export function namespacePath(name: string): string {
  return `${namespaceDirectory}/${name}`;
}

function invalid(what: string, hint: string): MeshError {
  return new MeshError('MESH-CONFIG-003', { message: `${what} cannot be used in a lab`, hint });
}
