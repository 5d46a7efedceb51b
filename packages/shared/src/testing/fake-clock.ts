import type { Cancel, Clock } from '../lifecycle/clock.ts';

type Timer = { readonly dueMs: number; readonly task: () => void };

/** A clock that stands still until a test moves it; timers run inside `advance`, in order of time. */
export class FakeClock implements Clock {
  readonly #startMs: number;
  readonly #timers = new Set<Timer>();
  #elapsedMs = 0;

  /** @param startMs wall clock at the start, milliseconds since the epoch; 1 January 2026 by default */
  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#startMs = startMs;
  }

  /** Timers that have neither run nor been cancelled. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Delay until the next timer in milliseconds, or `undefined` without one. */
  get nextTimerMs(): number | undefined {
    const next = this.#earliest(Infinity);
    return next === undefined ? undefined : next.dueMs - this.#elapsedMs;
  }

  /** Delay until the last timer in milliseconds, or `undefined` without one. */
  get lastTimerMs(): number | undefined {
    if (this.#timers.size === 0) return undefined;
    return Math.max(...[...this.#timers].map(({ dueMs }) => dueMs)) - this.#elapsedMs;
  }

  now(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, task: () => void): Cancel {
    const timer: Timer = { dueMs: this.#elapsedMs + Math.max(0, delayMs), task };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Moves time on, running each timer at its own moment, those it sets in turn included. */
  advance(ms: number): void {
    const end = this.#elapsedMs + ms;
    for (let timer = this.#earliest(end); timer !== undefined; timer = this.#earliest(end)) {
      this.#timers.delete(timer);
      this.#elapsedMs = Math.max(this.#elapsedMs, timer.dueMs);
      timer.task();
    }
    this.#elapsedMs = end;
  }

  /** The first timer due at `limitMs` or before; the oldest of equals, since a Set keeps insertion order. */
  #earliest(limitMs: number): Timer | undefined {
    let found: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= limitMs && (found === undefined || timer.dueMs < found.dueMs)) found = timer;
    }
    return found;
  }
}
