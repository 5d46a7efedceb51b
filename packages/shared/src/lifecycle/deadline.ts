/**
 * A time limit as a signal, by the clock that was handed in.
 *
 *   running ── limitMs ──▶ passed: the signal aborts with the reason
 *      └────── dispose ──▶ over:   the signal never aborts, and no timer is left
 *
 * Whoever waits scopes it: `using deadline = new Deadline({ limitMs }, { clock })`, and hands `deadline.within(signal)` on.
 */
import type { Cancel, Clock } from './clock.ts';

export type DeadlineOptions = {
  /** From now until it passes, milliseconds. */
  readonly limitMs: number;
  /** What the signal aborts with; called when it passes. @default an Error `no answer within <limitMs> ms` */
  readonly reason?: () => Error;
};

export class Deadline implements Disposable {
  readonly #options: DeadlineOptions;
  readonly #clock: Pick<Clock, 'after'>;
  readonly #late = new AbortController();
  #cancel: Cancel;

  constructor(options: DeadlineOptions, deps: { readonly clock: Pick<Clock, 'after'> }) {
    this.#options = options;
    this.#clock = deps.clock;
    this.#cancel = this.#arm();
  }

  /** Aborts when the time has passed. */
  get signal(): AbortSignal {
    return this.#late.signal;
  }

  get passed(): boolean {
    return this.#late.signal.aborted;
  }

  /** Aborts when the time has passed or `signal` does, whichever is first; follows `signal` after disposal too. */
  within(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#late.signal]);
  }

  /** Counts the whole limit again from now, for waits that each sign of life prolongs. One that has passed stays so. */
  restart(): void {
    this.#cancel();
    if (!this.passed) this.#cancel = this.#arm();
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }

  #arm(): Cancel {
    const { limitMs, reason } = this.#options;
    return this.#clock.after(limitMs, () => this.#late.abort(reason?.() ?? new Error(`no answer within ${limitMs} ms`)));
  }
}
