/** Requests on their way to a stream. */

/** A bounded queue that one stream reads to its end. */
export class Outbox<T> implements AsyncIterable<T> {
  readonly #limit: number;
  readonly #more: () => T | undefined;
  readonly #queue: T[] = [];
  #closed = false;
  #wake: () => void = () => {};

  /**
   * @param limit values that may wait to be taken
   * @param more asked once the queue is empty: what gathers there while the stream is busy costs one value
   */
  constructor(limit: number, more: () => T | undefined = () => undefined) {
    this.#limit = limit;
    this.#more = more;
  }

  /** Queues a value; false when the stream does not keep up, and the value was not taken in. */
  send(value: T): boolean {
    if (this.#queue.length >= this.#limit) return false;
    this.#queue.push(value);
    this.#wake();
    return true;
  }

  /** There may be more. */
  wake(): void {
    this.#wake();
  }

  /** Ends the stream after what is queued. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const next = this.#queue.shift() ?? (this.#closed ? undefined : this.#more());
      if (next !== undefined) yield next;
      else if (this.#closed) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
