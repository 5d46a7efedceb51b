/**
 * Ends for requests and attempts. Every request has two, and nearly none is ever used: an `AbortSignal` for each, and
 * listening to it, cost more than choosing an endpoint, asking the breaker and counting together.
 */

/** What most need of an `AbortSignal`; a real one does as well. */
export interface LightSignal {
  readonly aborted: boolean;
  /** Once aborted. */
  readonly reason: unknown;
  /** The listener is called once, at the next abort. */
  addEventListener(type: 'abort', listener: () => void, options: { readonly once: true }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** Where whoever waits for the platform gets a real one. */
export type SignalSource = { readonly signal: AbortSignal };

const none: readonly (() => void)[] = [];

/** Aborts once; listeners are called in the order they came, and must not throw. */
export class LightController implements LightSignal, SignalSource {
  #reason: Error | undefined;
  /** Nearly always one. */
  #listeners = none;
  #real: AbortController | undefined;

  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  get reason(): Error | undefined {
    return this.#reason;
  }

  /** Made when it is asked for. */
  get signal(): AbortSignal {
    if (this.#real === undefined) {
      this.#real = new AbortController();
      if (this.#reason !== undefined) this.#real.abort(this.#reason);
    }
    return this.#real.signal;
  }

  abort(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    const listeners = this.#listeners;
    this.#listeners = none;
    for (const listener of listeners) listener();
    this.#real?.abort(reason);
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners = this.#listeners.length === 0 ? [listener] : [...this.#listeners, listener];
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    const only = this.#listeners.length === 1 && this.#listeners[0] === listener;
    this.#listeners = only ? none : this.#listeners.filter((known) => known !== listener);
  }
}
