/** At most so many events in any window: tells how long the next has to wait. Pure of timers; time comes with each call. */
export class Pace {
  readonly #limit: number;
  readonly #windowMs: number;
  #recent: readonly number[] = [];

  constructor(options: { readonly limit: number; readonly windowMs: number }) {
    this.#limit = options.limit;
    this.#windowMs = options.windowMs;
  }

  /** Counts an event at `nowMs` and returns the milliseconds until the next may follow. */
  count(nowMs: number): number {
    this.#recent = [...this.#recent, nowMs].slice(-this.#limit);
    const [oldest = nowMs] = this.#recent;
    return this.#recent.length < this.#limit ? 0 : Math.max(0, oldest + this.#windowMs - nowMs);
  }
}
