/**
 * Ends exchanges in which nothing moves, with one timer for all of them; it runs only while there are any. Those it watches
 * are a ring of neighbours, since every request comes and goes, and a list is not hashed.
 */
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';

/** One exchange; whoever sees a byte counts `movement` up, and needs no clock for it. */
export class Watched {
  readonly idleMs: number;
  readonly recvIdle: () => void;
  movement = 0;
  seen = 0;
  sinceMs: number;
  /** Itself while nobody watches it. */
  before: Watched = this;
  after: Watched = this;

  constructor(idleMs: number, nowMs: number, recvIdle: () => void) {
    this.idleMs = idleMs;
    this.sinceMs = nowMs;
    this.recvIdle = recvIdle;
  }
}

export class IdleWatch implements Disposable {
  readonly #everyMs: number;
  readonly #clock: Clock;
  /** Where the ring begins and ends; it is nobody's exchange. */
  readonly #ends = new Watched(Infinity, 0, () => {});
  #size = 0;
  #cancel: Cancel | undefined;

  /** @param options.everyMs how late an idle exchange may be noticed, milliseconds; 250 by default */
  constructor(options: { readonly everyMs?: number }, deps: { readonly clock: Clock }) {
    this.#everyMs = options.everyMs ?? 250;
    this.#clock = deps.clock;
  }

  get size(): number {
    return this.#size;
  }

  add(idleMs: number, nowMs: number, recvIdle: () => void): Watched {
    const watched = new Watched(idleMs, nowMs, recvIdle);
    watched.before = this.#ends.before;
    watched.after = this.#ends;
    watched.before.after = watched;
    watched.after.before = watched;
    this.#size += 1;
    this.#cancel ??= this.#clock.after(this.#everyMs, this.#sweep);
    return watched;
  }

  /** Harmless for one that is not watched any more. */
  delete(watched: Watched): void {
    if (watched.after === watched) return;
    watched.before.after = watched.after;
    watched.after.before = watched.before;
    watched.before = watched;
    watched.after = watched;
    this.#size -= 1;
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
    this.#cancel = undefined;
    while (this.#size > 0) this.delete(this.#ends.after);
  }

  readonly #sweep = (): void => {
    this.#cancel = this.#size > 0 ? this.#clock.after(this.#everyMs, this.#sweep) : undefined;
    const nowMs = this.#clock.monotonicMs();
    for (const watched of this.#idleAt(nowMs)) {
      // What an earlier one set off may have ended this one too.
      if (watched.after === watched) continue;
      this.delete(watched);
      watched.recvIdle();
    }
  };

  /** Nothing moved in them since longer than they may rest. */
  #idleAt(nowMs: number): readonly Watched[] {
    const idle: Watched[] = [];
    for (let watched = this.#ends.after; watched !== this.#ends; watched = watched.after) {
      if (watched.movement !== watched.seen) {
        watched.seen = watched.movement;
        watched.sinceMs = nowMs;
      } else if (nowMs - watched.sinceMs >= watched.idleMs) idle.push(watched);
    }
    return idle;
  }
}
