/** Who spoke when on one connection, as far as its bytes show it, and how long a pause must be to be one between two questions. */
type Side = 'client' | 'server';

/** How far a drain has come: `early` is its first half, `last` its last fifth. */
export type DrainPhase = 'early' | 'late' | 'last';

/** The shortest pause that is one, milliseconds. */
const leastMs = 2;
/** Of a connection that was not heard to pause yet, milliseconds. */
const usualMs = 5;

export class Conversation {
  #last: Side | undefined;
  #lastMs: number;
  /** Between an answer and the next question. */
  #shortestPauseMs = Infinity;
  /** Within an answer. */
  #longestGapMs = 0;
  readonly #idleMs: number;

  /** @param idleMs silence of a connection that idles rather than talks, milliseconds */
  constructor(nowMs: number, idleMs: number) {
    this.#lastMs = nowMs;
    this.#idleMs = idleMs;
  }

  /** Since when nobody has said anything. */
  get quietSinceMs(): number {
    return this.#lastMs;
  }

  recv(side: Side, nowMs: number): void {
    const pauseMs = nowMs - this.#lastMs;
    if (this.#last === 'server') {
      if (side === 'client') this.#shortestPauseMs = Math.min(this.#shortestPauseMs, pauseMs);
      else this.#longestGapMs = Math.max(this.#longestGapMs, pauseMs);
    }
    this.#last = side;
    this.#lastMs = nowMs;
  }

  /** Silence after which the connection may be ended, milliseconds; Infinity while a question may be waiting for its answer. */
  restMs(phase: DrainPhase): number {
    if (this.#last === 'client') return Infinity;
    // Nothing was heard since the drain began: idle, or a question that is older than that.
    if (this.#last === undefined) return phase === 'last' ? this.#idleMs : Infinity;
    if (phase === 'early') return this.#idleMs;
    const pauseMs = this.#shortestPauseMs === Infinity ? usualMs : this.#shortestPauseMs / 4;
    return Math.min(this.#idleMs, Math.max(leastMs, pauseMs, 2 * this.#longestGapMs));
  }
}
