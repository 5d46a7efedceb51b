/**
 * The `timeout` of a socket that node:http serves: it sets one twice a request, to end connections at rest, so the timer is
 * set once and looks again when it fires.
 */
import type { Cancel, Clock } from '../lifecycle/clock.ts';

export class IdleTimeout {
  readonly #clock: Clock;
  readonly #onIdle: () => void;
  #untilMs = Infinity;
  #cancel: Cancel | undefined;

  constructor(clock: Clock, onIdle: () => void) {
    this.#clock = clock;
    this.#onIdle = onIdle;
  }

  /** `onIdle` is called so long after the last call, milliseconds; 0: never. */
  set(ms: number): void {
    this.#untilMs = ms > 0 ? this.#clock.monotonicMs() + ms : Infinity;
    if (ms > 0 && this.#cancel === undefined) this.#watch(ms);
  }

  cancel(): void {
    this.#cancel?.();
  }

  #watch(ms: number): void {
    this.#cancel = this.#clock.after(ms, () => {
      this.#cancel = undefined;
      const leftMs = this.#untilMs - this.#clock.monotonicMs();
      if (leftMs > 0 && leftMs < Infinity) this.#watch(leftMs);
      else if (leftMs <= 0) this.#onIdle();
    });
  }
}
