/** The pods whose namespaces the agent holds ready for whichever proxy asks. */
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { MAX_ZDS_PACKET, encodeZdsRequest } from '@clearmesh/shared/wire/zds';
import type { ZdsRequest } from '@clearmesh/shared/wire/zds';

export type EnrolledPod = {
  /** The pod's Kubernetes UID. */
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Stays the caller's: the handover keeps a duplicate of its own. */
  readonly netns: NetworkNamespace;
};

export type Admission =
  | { readonly kind: 'kept'; readonly pod: EnrolledPod }
  | { readonly kind: 'rejected'; readonly reason: string };

/** Owns one duplicate of each pod's namespace. */
export class EnrolledPods implements Disposable {
  readonly #maxPods: number;
  readonly #pods = new Map<string, EnrolledPod>();

  constructor(options: { readonly maxPods: number }) {
    this.#maxPods = options.maxPods;
  }

  get size(): number {
    return this.#pods.size;
  }

  /** In the order they came. */
  all(): readonly EnrolledPod[] {
    return [...this.#pods.values()];
  }

  /** Keeps a pod, in place of an earlier one of the same UID. */
  keep(pod: EnrolledPod): Admission {
    const length = encodeZdsRequest(addRequest(pod)).length;
    if (length > MAX_ZDS_PACKET) return { kind: 'rejected', reason: `its Add has ${length} bytes, more than ${MAX_ZDS_PACKET}` };
    if (!this.#pods.has(pod.uid) && this.#pods.size >= this.#maxPods) {
      return { kind: 'rejected', reason: `${this.#maxPods} pods are enrolled on this node already` };
    }
    const kept = { ...pod, netns: pod.netns.duplicate() };
    this.forget(pod.uid);
    this.#pods.set(pod.uid, kept);
    return { kind: 'kept', pod: kept };
  }

  forget(uid: string): void {
    this.#pods.get(uid)?.netns[Symbol.dispose]();
    this.#pods.delete(uid);
  }

  [Symbol.dispose](): void {
    for (const { uid } of this.all()) this.forget(uid);
  }
}

/** The request that hands a pod over. */
export function addRequest(pod: EnrolledPod): ZdsRequest {
  const { uid, name, namespace, serviceAccount } = pod;
  return { kind: 'add', uid, info: { name, namespace, serviceAccount } };
}
