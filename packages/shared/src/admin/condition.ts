/** One thing a process needs to be ready, and why it is not so: the reason is what the readiness probe shows. */
import type { Readiness } from './readiness.ts';

type State = { readonly kind: 'met' } | { readonly kind: 'unmet'; readonly reason: string; readonly done: () => void };

export class Condition {
  readonly #readiness: Pick<Readiness, 'task'>;
  #state: State = { kind: 'met' };

  /** Unmet from the start, for this reason. */
  constructor(reason: string, deps: { readonly readiness: Pick<Readiness, 'task'> }) {
    this.#readiness = deps.readiness;
    this.set(reason);
  }

  /** Unmet for this reason, or met: `undefined`. */
  set(reason: string | undefined): void {
    const state = this.#state;
    if (reason === (state.kind === 'unmet' ? state.reason : undefined)) return;
    // The new reason first: in between the process would count as ready.
    this.#state = reason === undefined ? { kind: 'met' } : { kind: 'unmet', reason, done: this.#readiness.task(reason) };
    if (state.kind === 'unmet') state.done();
  }
}
