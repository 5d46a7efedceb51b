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

export class LineWriter {
  readonly #maxBytes: number;
  readonly #deps: LineWriterDeps;
  readonly #afterTurn: (task: () => void) => void;
  #state: State = 'idle';
  #waiting: string[] = [];
  #waitingBytes = 0;
  #unwritten = 0;
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
    // Characters stand for bytes here: close enough for a bound, and free.
    if (this.#waitingBytes + this.#unwritten + line.length > this.#maxBytes) return false;
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    if (this.#state === 'idle') {
      this.#state = 'gathering';
      this.#idle = Promise.withResolvers();
      this.#afterTurn(() => this.#writeGathered());
    }
    return true;
  }

  #writeGathered(): void {
    this.#state = 'writing';
    const bytes = Buffer.from(this.#waiting.join(''));
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#write(bytes);
  }

  #write(bytes: Buffer): void {
    this.#unwritten = bytes.length;
    this.#deps.sink(bytes, (error, written) => {
      if (error?.code === 'EAGAIN') return void this.#deps.clock.after(retryMs, () => this.#write(bytes));
      // Any other error will not pass; the lines are lost with it, and the next ones are tried.
      if (error === null && written < bytes.length) return this.#write(bytes.subarray(written));
      this.#recvWritten();
    });
  }

  #recvWritten(): void {
    this.#unwritten = 0;
    if (this.#waiting.length > 0) return this.#writeGathered();
    this.#state = 'idle';
    this.#idle.resolve();
  }
}
