/**
 * One way to stop everywhere: stop accepting → grace → force.
 *
 *   serving ── begin(deadline) ──▶ draining ── deadline or force() ──▶ forced
 *
 * D1  `draining` aborts before `forced`; both abort once, in that order.
 * D2  work registered with `hold` keeps the drain open until released or forced.
 * D3  `done` resolves when nothing is held any more, or when forced.
 */
import type { Cancel, Clock } from './clock.ts';

type State =
  | { readonly kind: 'serving' }
  | { readonly kind: 'draining'; readonly cancelDeadline: Cancel }
  | { readonly kind: 'done'; readonly forced: boolean };

/** When a drain began, and when it will be forced, by the monotonic clock, milliseconds. */
export type DrainTime = { readonly beganMs: number; readonly forcedMs: number };

export class Drain {
  readonly #clock: Clock;
  readonly #draining = new AbortController();
  readonly #forced = new AbortController();
  readonly #held = new Map<symbol, string>();
  #time: DrainTime | undefined;
  readonly #done = Promise.withResolvers<{ readonly forced: boolean; readonly cut: readonly string[] }>();
  #state: State = { kind: 'serving' };

  constructor(deps: { readonly clock: Clock }) {
    this.#clock = deps.clock;
  }

  /** Aborts when owners must stop accepting. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  /** Aborts when owners must drop what is left. */
  get forced(): AbortSignal {
    return this.#forced.signal;
  }

  /** `undefined` while serving. */
  get time(): DrainTime | undefined {
    return this.#time;
  }

  /** Resolves at the end with whether it was forced, and the descriptions of what was cut. */
  get done(): Promise<{ readonly forced: boolean; readonly cut: readonly string[] }> {
    return this.#done.promise;
  }

  /** Keeps the drain open for one piece of work; call the result when it ended. */
  hold(description: string): () => void {
    const key = Symbol(description);
    this.#held.set(key, description);
    return () => {
      if (this.#held.delete(key)) this.#settleIfIdle();
    };
  }

  /** Stops accepting; what is still held after `deadlineMs` is forced. A second call changes nothing. */
  begin(deadlineMs: number): void {
    if (this.#state.kind !== 'serving') return;
    const beganMs = this.#clock.monotonicMs();
    this.#time = { beganMs, forcedMs: beganMs + deadlineMs };
    this.#state = { kind: 'draining', cancelDeadline: this.#clock.after(deadlineMs, () => this.force()) };
    this.#draining.abort();
    this.#settleIfIdle();
  }

  /** Ends at once. */
  force(): void {
    if (this.#state.kind === 'done') return;
    if (this.#state.kind === 'draining') this.#state.cancelDeadline();
    const cut = [...this.#held.values()];
    this.#state = { kind: 'done', forced: true };
    this.#draining.abort();
    this.#forced.abort();
    this.#done.resolve({ forced: true, cut });
  }

  #settleIfIdle(): void {
    if (this.#state.kind !== 'draining' || this.#held.size > 0) return;
    this.#state.cancelDeadline();
    this.#state = { kind: 'done', forced: false };
    this.#done.resolve({ forced: false, cut: [] });
  }
}
