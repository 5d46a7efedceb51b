/**
 * What an attempt needs of an `AbortSignal`. A real one does as well; but to make one for every attempt, and to listen to it,
 * costs as much as choosing an endpoint, asking the breaker and counting together.
 */
export interface AttemptSignal {
  readonly aborted: boolean;
  /** Once aborted. */
  readonly reason: unknown;
  /** The listener is called once, at the next abort. */
  addEventListener(type: 'abort', listener: () => void, options: { readonly once: true }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

const none: readonly (() => void)[] = [];

/** Aborts once; listeners are called in the order they came, and must not throw. */
export class AttemptController implements AttemptSignal {
  #reason: Error | undefined;
  /** Nearly always one. */
  #listeners: readonly (() => void)[] = none;

  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  get reason(): Error | undefined {
    return this.#reason;
  }

  abort(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    const listeners = this.#listeners;
    this.#listeners = none;
    for (const listener of listeners) listener();
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners = this.#listeners.length === 0 ? [listener] : [...this.#listeners, listener];
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners =
      this.#listeners.length === 1 && this.#listeners[0] === listener
        ? none
        : this.#listeners.filter((known) => known !== listener);
  }
}
