/** Those who wait for what the control plane says of a name. */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';

export class NameAnswers {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #waiters = new Map<string, Set<() => void>>();

  constructor(deps: { readonly clock: Pick<Clock, 'after'> }) {
    this.#clock = deps.clock;
  }

  get waiting(): number {
    let count = 0;
    for (const waiters of this.#waiters.values()) count += waiters.size;
    return count;
  }

  recv(names: readonly string[]): void {
    for (const name of names) {
      const waiters = this.#waiters.get(name);
      this.#waiters.delete(name);
      for (const wake of waiters ?? []) wake();
    }
  }

  /** Ends with an answer or an abort (`ended`), or after `maxMs`, if any (`over`). */
  async wait(name: string, maxMs: number | undefined, signal: AbortSignal): Promise<'ended' | 'over'> {
    if (signal.aborted) return 'ended';
    const { promise, resolve } = Promise.withResolvers<'ended' | 'over'>();
    const wake = (): void => resolve('ended');
    const waiters = this.#waiters.get(name) ?? new Set();
    this.#waiters.set(name, waiters.add(wake));
    const cancel = maxMs === undefined ? undefined : this.#clock.after(maxMs, () => resolve('over'));
    signal.addEventListener('abort', wake, { once: true });
    try {
      return await promise;
    } finally {
      cancel?.();
      signal.removeEventListener('abort', wake);
      waiters.delete(wake);
      if (waiters.size === 0 && this.#waiters.get(name) === waiters) this.#waiters.delete(name);
    }
  }
}
