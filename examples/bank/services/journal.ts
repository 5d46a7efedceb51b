/**
 * What the ledger booked, as JSON lines on disk. A line is there before anybody is told of it, so that the journal is the
 * truth about what was booked, however often the process dies.
 */
import fs from 'node:fs';
import os from 'node:os';
import { resolve } from 'node:path';

export type Entry = {
  /** The caller's Idempotency-Key; "" when it sent none. */
  readonly key: string;
  readonly iban: string;
  readonly amount: string;
};

/** How often each key was booked. */
export type Counts = Readonly<Record<string, number>>;

export class Journal {
  readonly #file: number;
  readonly #path: string;
  #size: number;

  /** A relative path begins at TMPDIR, which a pod keeps for as long as it lives. */
  constructor(path: string) {
    this.#path = resolve(os.tmpdir(), path);
    this.#file = fs.openSync(this.#path, 'a', 0o600);
    // What a crash left half-written is no entry: nobody was told of it.
    fs.ftruncateSync(this.#file, fs.readFileSync(this.#path).lastIndexOf('\n') + 1);
    this.#size = this.#entries().length;
  }

  get size(): number {
    return this.#size;
  }

  /** On disk when it returns. */
  append(entry: Entry): void {
    fs.writeSync(this.#file, `${JSON.stringify(entry)}\n`);
    fs.fdatasyncSync(this.#file);
    this.#size++;
  }

  counts(): Counts {
    const counts: Record<string, number> = {};
    for (const { key } of this.#entries()) counts[key] = (counts[key] ?? 0) + 1;
    return counts;
  }

  #entries(): readonly Entry[] {
    const lines = fs.readFileSync(this.#path, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Entry);
  }
}
