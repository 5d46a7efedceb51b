/**
 * Many events, one run: after `quietMs` without an event, at latest `maxMs` after the first.
 *
 *   idle ── trigger ──▶ settling ── quiet, or max ──▶ run ──▶ idle
 *                        ▲      │
 *                        └──────┘ trigger
 */
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';

export type DebounceOptions = {
  /** Milliseconds without an event before the run. */
  readonly quietMs: number;
  /** Milliseconds after the first event at which the run comes in any case. */
  readonly maxMs: number;
};

type State = { readonly kind: 'idle' } | { readonly kind: 'settling'; readonly sinceMs: number; readonly cancel: Cancel };

export class Debounce implements Disposable {
  readonly #options: DebounceOptions;
  readonly #clock: Clock;
  readonly #run: () => void;
  #state: State = { kind: 'idle' };

  constructor(options: DebounceOptions, deps: { readonly clock: Clock; readonly run: () => void }) {
    this.#options = options;
    this.#clock = deps.clock;
    this.#run = deps.run;
  }

  trigger(): void {
    const now = this.#clock.monotonicMs();
    if (this.#state.kind === 'settling') this.#state.cancel();
    const sinceMs = this.#state.kind === 'settling' ? this.#state.sinceMs : now;
    const delayMs = Math.max(0, Math.min(this.#options.quietMs, sinceMs + this.#options.maxMs - now));
    this.#state = { kind: 'settling', sinceMs, cancel: this.#clock.after(delayMs, () => this.#recvSettled()) };
  }

  /** Forgets what was triggered. */
  [Symbol.dispose](): void {
    if (this.#state.kind === 'settling') this.#state.cancel();
    this.#state = { kind: 'idle' };
  }

  #recvSettled(): void {
    this.#state = { kind: 'idle' };
    this.#run();
  }
}
