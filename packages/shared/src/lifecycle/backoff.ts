/** Exponential back-off as a value: `next` tells the delay and the state after it. */
import type { Random } from './random.ts';

export type BackoffOptions = {
  /** First delay, milliseconds. */
  readonly initialMs: number;
  /** Ceiling, milliseconds. */
  readonly maxMs: number;
  /** Share of the delay that is random, both ways; 0.2 gives ±20 %. @default 0 */
  readonly jitter?: number;
};

export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: Random;
  #nextMs: number;

  constructor(options: BackoffOptions, deps: { readonly random: Random }) {
    this.#options = options;
    this.#random = deps.random;
    this.#nextMs = options.initialMs;
  }

  /** The delay before the next attempt, in milliseconds; each call doubles the one after it. */
  next(): number {
    const base = this.#nextMs;
    this.#nextMs = Math.min(this.#options.maxMs, base * 2);
    const jitter = this.#options.jitter ?? 0;
    return base * (1 + jitter * (2 * this.#random.unit() - 1));
  }

  reset(): void {
    this.#nextMs = this.#options.initialMs;
  }
}
