/** How many connections of this node's pods lead to each workload: what least-request choice compares. */
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import type { Workload } from '@clearmesh/shared/model/workload';

export class OpenEndpoints {
  readonly #open = new Map<WorkloadUid, number>();

  /** Connections on their way to the workload or open. */
  loadOf(uid: WorkloadUid): number {
    return this.#open.get(uid) ?? 0;
  }

  /** Workloads with a connection. */
  get size(): number {
    return this.#open.size;
  }

  /** One more, until disposed. */
  open(workload: Workload | undefined): Disposable {
    const stack = new DisposableStack();
    if (workload === undefined) return stack;
    const { uid } = workload;
    this.#open.set(uid, this.loadOf(uid) + 1);
    stack.defer(() => this.#close(uid));
    return stack;
  }

  #close(uid: WorkloadUid): void {
    const left = this.loadOf(uid) - 1;
    if (left > 0) this.#open.set(uid, left);
    else this.#open.delete(uid);
  }
}
