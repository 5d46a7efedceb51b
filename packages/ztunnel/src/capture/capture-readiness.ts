/**
 * Whether every pod the node agent named is served (l4-contract section 13, task "workload proxy manager").
 *
 *   unready ── snapshot acknowledged, nothing pending ──▶ ready ── agent lost | a pod pending ──▶ unready
 */

type State = { readonly kind: 'unready'; readonly done: () => void } | { readonly kind: 'ready' };

export class CaptureReadiness {
  readonly #task: () => () => void;
  #state: State;
  #facts = { synced: false, pending: 0 };

  /** @param deps.task makes the proxy not ready until the result is called */
  constructor(deps: { readonly task: () => () => void }) {
    this.#task = deps.task;
    this.#state = { kind: 'unready', done: deps.task() };
  }

  /** The conversation with the node agent. */
  recvAgent(state: 'synced' | 'lost'): void {
    this.#update({ ...this.#facts, synced: state === 'synced' });
  }

  /** Pods that are known but not served. */
  recvPending(pending: number): void {
    this.#update({ ...this.#facts, pending });
  }

  #update(facts: { readonly synced: boolean; readonly pending: number }): void {
    this.#facts = facts;
    const ready = facts.synced && facts.pending === 0;
    if (ready === (this.#state.kind === 'ready')) return;
    if (this.#state.kind === 'unready') {
      this.#state.done();
      this.#state = { kind: 'ready' };
    } else {
      this.#state = { kind: 'unready', done: this.#task() };
    }
  }
}
