import type { Clock } from '../lifecycle/clock.ts';

/** How many control frames (PING, SETTINGS) a peer may send: a burst, refilled at a steady rate. */
export class FrameAllowance {
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #clock: Clock;
  #left: number;
  #countedAtMs: number;

  /** @param options by default 200 at once and 20 a second; a peer that pings each 10 s needs one in ten seconds */
  constructor(options: { readonly burst?: number; readonly perSecond?: number }, deps: { readonly clock: Clock }) {
    this.#burst = options.burst ?? 200;
    this.#perSecond = options.perSecond ?? 20;
    this.#clock = deps.clock;
    this.#left = this.#burst;
    this.#countedAtMs = deps.clock.monotonicMs();
  }

  /** Takes one; false when there is none left. */
  take(): boolean {
    const now = this.#clock.monotonicMs();
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#countedAtMs) / 1000) * this.#perSecond);
    this.#countedAtMs = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
