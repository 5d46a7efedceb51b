/**
 * The JSON log of one process, as data: the last lines are kept, and a reader can wait for one that is still to come.
 * Lines that are no JSON object (a crash, a warning of Node) are kept as a message.
 */

export type LogLine = {
  /** Rises by one a line, over all of the log's life. */
  readonly sequence: number;
  readonly fields: Readonly<Record<string, unknown>>;
};

export type LogLinesOptions = {
  /** Lines kept. @default 2000 */
  readonly capacity?: number;
};

type Waiter = { readonly accepts: (line: LogLine) => boolean; readonly resolve: (line: LogLine) => void };

export class LogLines {
  readonly #capacity: number;
  readonly #waiters = new Set<Waiter>();
  #lines: LogLine[] = [];
  #next = 0;

  constructor({ capacity = 2000 }: LogLinesOptions = {}) {
    this.#capacity = capacity;
  }

  /** The place after the newest line: what comes from here on is new. */
  get mark(): number {
    return this.#next;
  }

  recvLine(text: string): void {
    const line: LogLine = { sequence: this.#next++, fields: parseFields(text) };
    this.#lines.push(line);
    // In halves, so that the copy is made once for many lines.
    if (this.#lines.length > this.#capacity) this.#lines = this.#lines.slice(this.#lines.length >> 1);
    for (const waiter of this.#waiters) if (waiter.accepts(line)) waiter.resolve(line);
  }

  /** The lines kept from `mark` on. */
  since(mark: number): readonly LogLine[] {
    return this.#lines.filter((line) => line.sequence >= mark);
  }

  /** The first line from `mark` on that fits, come or still to come; rejects with the signal's reason. */
  async find(mark: number, fits: (fields: LogLine['fields']) => boolean, signal: AbortSignal): Promise<LogLine> {
    signal.throwIfAborted();
    const found = this.since(mark).find((line) => fits(line.fields));
    if (found !== undefined) return found;
    const { promise, resolve, reject } = Promise.withResolvers<LogLine>();
    const waiter: Waiter = { accepts: (line) => line.sequence >= mark && fits(line.fields), resolve };
    const onAbort = (): void => reject(signal.reason);
    this.#waiters.add(waiter);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await promise;
    } finally {
      this.#waiters.delete(waiter);
      signal.removeEventListener('abort', onAbort);
    }
  }
}

function parseFields(text: string): LogLine['fields'] {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as LogLine['fields'];
  } catch {
    // Not ours to judge: a process may print anything.
  }
  return { message: text };
}
