/** The one timer that moves the windows of all breakers on; it runs only while there are any. */
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';

export class BreakerRotation implements Disposable {
  /** Width of a window's bucket, milliseconds. */
  readonly intervalMs: number;
  readonly #clock: Clock;
  readonly #members = new Set<() => void>();
  #cancel: Cancel | undefined;

  /** @param options.intervalMs 1 000 by default */
  constructor(options: { readonly intervalMs?: number }, deps: { readonly clock: Clock }) {
    this.intervalMs = options.intervalMs ?? 1_000;
    this.#clock = deps.clock;
  }

  /** Calls `rotate` at each turn until the returned function is called. */
  add(rotate: () => void): Cancel {
    this.#members.add(rotate);
    this.#cancel ??= this.#clock.after(this.intervalMs, this.#turn);
    return () => {
      this.#members.delete(rotate);
      if (this.#members.size === 0) this[Symbol.dispose]();
    };
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  readonly #turn = (): void => {
    this.#cancel = this.#clock.after(this.intervalMs, this.#turn);
    for (const rotate of this.#members) rotate();
  };
}
