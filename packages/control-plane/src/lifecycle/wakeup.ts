/** A bell for one waiter: rings that nobody heard are kept as one. */
export class Wakeup {
  #state: { readonly kind: 'quiet' | 'rung' } | { readonly kind: 'waiting'; readonly resolve: () => void } = { kind: 'quiet' };

  ring(): void {
    if (this.#state.kind === 'waiting') {
      const { resolve } = this.#state;
      this.#state = { kind: 'quiet' };
      resolve();
    } else {
      this.#state = { kind: 'rung' };
    }
  }

  /** Resolves at the next ring, at once if one was not heard. Only one caller may wait at a time. */
  wait(): Promise<void> {
    if (this.#state.kind === 'waiting') throw new Error('a bell has one waiter');
    if (this.#state.kind === 'rung') {
      this.#state = { kind: 'quiet' };
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#state = { kind: 'waiting', resolve };
    });
  }
}
