/**
 * Finds a peer that is gone without a word (section 2.3): the first ping after one interval, the next one interval after each
 * answer; an answer that takes longer than the timeout ends it.
 *
 *   waiting ── interval ──▶ pinging ── answer ──▶ waiting
 *                             └────── timeout ──▶ stopped
 */
import type { Cancel, Clock } from '../lifecycle/clock.ts';

type State =
  | { readonly kind: 'waiting'; readonly cancel: Cancel }
  | { readonly kind: 'pinging'; readonly cancel: Cancel }
  | { readonly kind: 'stopped' };

export class Keepalive {
  readonly #options: { readonly intervalMs: number; readonly timeoutMs: number };
  readonly #deps: { readonly clock: Clock; readonly ping: () => void; readonly onTimeout: () => void };
  #state: State;

  /** Starts at once. `ping` sends one; call `recvPong` when it is answered. */
  constructor(
    options: { readonly intervalMs: number; readonly timeoutMs: number },
    deps: { readonly clock: Clock; readonly ping: () => void; readonly onTimeout: () => void },
  ) {
    this.#options = options;
    this.#deps = deps;
    this.#state = this.#waiting();
  }

  recvPong(): void {
    if (this.#state.kind !== 'pinging') return;
    this.#state.cancel();
    this.#state = this.#waiting();
  }

  stop(): void {
    if (this.#state.kind !== 'stopped') this.#state.cancel();
    this.#state = { kind: 'stopped' };
  }

  #waiting(): State {
    return { kind: 'waiting', cancel: this.#deps.clock.after(this.#options.intervalMs, () => this.#ping()) };
  }

  #ping(): void {
    const cancel = this.#deps.clock.after(this.#options.timeoutMs, () => {
      this.#state = { kind: 'stopped' };
      this.#deps.onTimeout();
    });
    this.#state = { kind: 'pinging', cancel };
    this.#deps.ping();
  }
}
