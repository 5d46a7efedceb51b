/**
 * What readers have not taken yet, of all connections of a process together. Each stream may hold its window, and there are
 * thousands of them: beyond the limit a connection gives back its own window only as its streams are read, so that the peers of
 * those who do not read wait, and nobody is cut.
 */
export class UnreadBudget {
  readonly #limit: number;
  #held = 0;

  /** @param limit bytes; by default there is none */
  constructor(limit: number = Infinity) {
    this.#limit = limit;
  }

  /** Bytes that wait for their readers. */
  get held(): number {
    return this.#held;
  }

  get exceeded(): boolean {
    return this.#held >= this.#limit;
  }

  take(bytes: number): void {
    this.#held += bytes;
  }

  give(bytes: number): void {
    this.#held -= bytes;
  }
}
