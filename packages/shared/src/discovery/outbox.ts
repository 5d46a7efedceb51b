/** Requests on their way to a stream. */

/** A bounded queue that one stream reads to its end. */
export class Outbox<T> implements AsyncIterable<T> {
  readonly #limit: number;
  readonly #queue: T[] = [];
  #closed = false;
  #wake: () => void = () => {};

  /** @param limit values that may wait to be taken */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Queues a value; false when the stream does not keep up, and the value was not taken in. */
  send(value: T): boolean {
    if (this.#queue.length >= this.#limit) return false;
    this.#queue.push(value);
    this.#wake();
    return true;
  }

  /** Ends the stream after what is queued. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const next = this.#queue.shift();
      if (next !== undefined) yield next;
      else if (this.#closed) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
