/**
 * Lines on their way to a file descriptor, which may be a pipe whose reader has stopped: the lines of one turn of the
 * loop leave as one write, one write is under way at a time, and what does not fit in `maxBytes` is lost and counted.
 *
 *   idle ── write ──▶ gathering ── turn ends ──▶ writing ──┬─ nothing waits ──▶ idle
 *                                                  ▲       └─ lines wait ──┐
 *                                                  └───────────────────────┘
 */
import { write } from 'node:fs';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';

/** Writes some of the bytes and says how many, as `fs.write` does. */
export type ByteSink = (bytes: Buffer, done: (error: NodeJS.ErrnoException | null, written: number) => void) => void;

export type LineWriterOptions = {
  /** Bytes that may wait. @default 16 MiB */
  readonly maxBytes?: number;
};

export type LineWriterDeps = {
  readonly sink: ByteSink;
  readonly clock: Clock;
  /** Runs a task when this turn of the loop is over. @default setImmediate */
  readonly afterTurn?: (task: () => void) => void;
};

/** A descriptor, such as 1 for standard output. */
export function descriptorSink(descriptor: number): ByteSink {
  return (bytes, done) => write(descriptor, bytes, 0, bytes.length, null, done);
}

/** A pipe opened with O_NONBLOCK says EAGAIN until its reader has read, milliseconds. */
const retryMs = 10;

type State = 'idle' | 'gathering' | 'writing';

/** Lines are gathered in chunks of this size, bytes; a longer one has a chunk of its own. */
const chunkBytes = 64 * 1024;

/** UTF-8 of one UTF-16 unit. */
const mostBytesOfUnit = 3;

export class LineWriter {
  readonly #maxBytes: number;
  readonly #deps: LineWriterDeps;
  readonly #afterTurn: (task: () => void) => void;
  #state: State = 'idle';
  /** Copied at once, so that what waits is bytes and no longer text: as much as is counted, and nothing for the collector. */
  #chunk: Buffer = Buffer.allocUnsafe(chunkBytes);
  #filled = 0;
  #full: Buffer[] = [];
  #spare: Buffer | undefined;
  /** Gathered, or being written. */
  #bytes = 0;
  #idle = Promise.withResolvers<void>();

  constructor(options: LineWriterOptions, deps: LineWriterDeps) {
    this.#maxBytes = options.maxBytes ?? 16 * 1024 * 1024;
    this.#deps = deps;
    this.#afterTurn = deps.afterTurn ?? ((task) => void setImmediate(task));
    this.#idle.resolve();
  }

  /** Resolves when everything given so far is written or lost. */
  get flushed(): Promise<void> {
    return this.#idle.promise;
  }

  /** Takes a line with its end; false when it is lost because too much waits. */
  write(line: string): boolean {
    // Lines are nearly all ASCII: close enough for a bound, and free.
    if (this.#bytes + line.length > this.#maxBytes) return false;
    this.#bytes += this.#gather(line);
    if (this.#state === 'idle') {
      this.#state = 'gathering';
      this.#idle = Promise.withResolvers();
      this.#afterTurn(() => this.#writeNext());
    }
    return true;
  }

  /** How many bytes it has. */
  #gather(line: string): number {
    const atMost = line.length * mostBytesOfUnit;
    if (atMost > chunkBytes - this.#filled) this.#closeChunk();
    if (atMost > chunkBytes) return this.#full[this.#full.push(Buffer.from(line)) - 1]?.length ?? 0;
    const bytes = this.#chunk.write(line, this.#filled);
    this.#filled += bytes;
    return bytes;
  }

  #closeChunk(): void {
    if (this.#filled === 0) return;
    this.#full.push(this.#chunk.subarray(0, this.#filled));
    this.#chunk = this.#spare ?? Buffer.allocUnsafe(chunkBytes);
    this.#spare = undefined;
    this.#filled = 0;
  }

  #writeNext(): void {
    if (this.#full.length === 0) this.#closeChunk();
    const next = this.#full.shift();
    if (next === undefined) {
      this.#state = 'idle';
      return this.#idle.resolve();
    }
    this.#state = 'writing';
    this.#write(next);
  }

  #write(bytes: Buffer): void {
    this.#deps.sink(bytes, (error, written) => {
      if (error?.code === 'EAGAIN') return void this.#deps.clock.after(retryMs, () => this.#write(bytes));
      // Any other error will not pass; the lines are lost with it, and the next ones are tried.
      const ended = error === null ? written : bytes.length;
      this.#bytes -= ended;
      if (ended < bytes.length) return this.#write(bytes.subarray(ended));
      if (bytes.buffer.byteLength === chunkBytes) this.#spare = Buffer.from(bytes.buffer);
      this.#writeNext();
    });
  }
}
