/** Ends exchanges in which nothing moves, with one timer for all of them; it runs only while there are any. */
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';

/** One exchange; whoever sees a byte counts `movement` up, and needs no clock for it. */
export type Watched = {
  readonly idleMs: number;
  readonly recvIdle: () => void;
  movement: number;
  seen: number;
  sinceMs: number;
};

export class IdleWatch implements Disposable {
  readonly #everyMs: number;
  readonly #clock: Clock;
  readonly #watched = new Set<Watched>();
  #cancel: Cancel | undefined;

  /** @param options.everyMs how late an idle exchange may be noticed, milliseconds; 250 by default */
  constructor(options: { readonly everyMs?: number }, deps: { readonly clock: Clock }) {
    this.#everyMs = options.everyMs ?? 250;
    this.#clock = deps.clock;
  }

  get size(): number {
    return this.#watched.size;
  }

  add(idleMs: number, nowMs: number, recvIdle: () => void): Watched {
    const watched: Watched = { idleMs, recvIdle, movement: 0, seen: 0, sinceMs: nowMs };
    this.#watched.add(watched);
    this.#cancel ??= this.#clock.after(this.#everyMs, this.#sweep);
    return watched;
  }

  delete(watched: Watched): void {
    this.#watched.delete(watched);
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#watched.clear();
  }

  readonly #sweep = (): void => {
    this.#cancel = this.#watched.size > 0 ? this.#clock.after(this.#everyMs, this.#sweep) : undefined;
    const nowMs = this.#clock.monotonicMs();
    for (const watched of this.#watched) {
      if (watched.movement !== watched.seen) {
        watched.seen = watched.movement;
        watched.sinceMs = nowMs;
      } else if (nowMs - watched.sinceMs >= watched.idleMs) {
        this.#watched.delete(watched);
        watched.recvIdle();
      }
    }
  };
}
