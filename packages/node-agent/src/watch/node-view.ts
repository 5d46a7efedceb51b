/**
 * The pods of this node and the labels of all namespaces, as last heard. Nothing is said of a pod before both have been
 * listed, nor while its namespace is unknown: a decision on half the facts would release a pod that belongs to the mesh.
 */
import { readNamespace, readPod } from './pod-object.ts';
import type { NodePod } from './pod-object.ts';

export type PodInNamespace = { readonly pod: NodePod; readonly namespaceLabels: Readonly<Record<string, string>> };

export type NodeViewDeps = {
  /** A pod is new or changed, or its namespace did. */
  readonly onPod: (subject: PodInNamespace) => void;
  readonly onGone: (pod: NodePod) => void;
  /** Both kinds were listed for the first time; `onPod` has been told of every pod. */
  readonly onSynced: () => void;
};

export class NodeView {
  readonly #deps: NodeViewDeps;
  readonly #pods = new Map<string, NodePod>();
  readonly #namespaces = new Map<string, Readonly<Record<string, string>>>();
  readonly #listed = { pods: false, namespaces: false };
  readonly #live = { pods: false, namespaces: false };

  constructor(deps: NodeViewDeps) {
    this.#deps = deps;
  }

  get synced(): boolean {
    return this.#listed.pods && this.#listed.namespaces;
  }

  /** Both watches stand: what is known is not older than their delay. */
  get live(): boolean {
    return this.#live.pods && this.#live.namespaces;
  }

  /** By UID. */
  get pods(): ReadonlyMap<string, NodePod> {
    return this.#pods;
  }

  pod(namespace: string, name: string): NodePod | undefined {
    for (const pod of this.#pods.values()) if (pod.namespace === namespace && pod.name === name) return pod;
    return undefined;
  }

  namespaceLabels(name: string): Readonly<Record<string, string>> | undefined {
    return this.#namespaces.get(name);
  }

  recvLive(kind: 'pods' | 'namespaces', live: boolean): void {
    this.#live[kind] = live;
  }

  recvPods(objects: readonly unknown[]): void {
    const pods = objects.map(readPod).filter((pod) => pod !== undefined);
    const uids = new Set(pods.map(({ uid }) => uid));
    for (const pod of this.#pods.values()) if (!uids.has(pod.uid)) this.#remove(pod);
    for (const pod of pods) this.#pods.set(pod.uid, pod);
    this.#recvListed('pods');
  }

  recvPod(object: unknown): void {
    const pod = readPod(object);
    if (pod === undefined) return;
    this.#pods.set(pod.uid, pod);
    this.#tell(pod);
  }

  recvPodGone(object: unknown): void {
    const known = this.#pods.get(readPod(object)?.uid ?? '');
    if (known !== undefined) this.#remove(known);
  }

  recvNamespaces(objects: readonly unknown[]): void {
    const namespaces = objects.map(readNamespace).filter((namespace) => namespace !== undefined);
    this.#namespaces.clear();
    for (const { name, labels } of namespaces) this.#namespaces.set(name, labels);
    this.#recvListed('namespaces');
  }

  recvNamespace(object: unknown): void {
    const namespace = readNamespace(object);
    if (namespace === undefined) return;
    const before = this.#namespaces.get(namespace.name);
    this.#namespaces.set(namespace.name, namespace.labels);
    if (JSON.stringify(before) === JSON.stringify(namespace.labels)) return;
    for (const pod of this.#pods.values()) if (pod.namespace === namespace.name) this.#tell(pod);
  }

  /** Its pods go before it, each by an event of its own. */
  recvNamespaceGone(object: unknown): void {
    this.#namespaces.delete(readNamespace(object)?.name ?? '');
  }

  #recvListed(kind: 'pods' | 'namespaces'): void {
    const first = !this.synced;
    this.#listed[kind] = true;
    for (const pod of this.#pods.values()) this.#tell(pod);
    if (first && this.synced) this.#deps.onSynced();
  }

  #remove(pod: NodePod): void {
    this.#pods.delete(pod.uid);
    this.#deps.onGone(pod);
  }

  #tell(pod: NodePod): void {
    const namespaceLabels = this.#namespaces.get(pod.namespace);
    if (this.synced && namespaceLabels !== undefined) this.#deps.onPod({ pod, namespaceLabels });
  }
}
