/**
 * A file that others replace, such as a key of a mounted ConfigMap. It is looked at on a timer rather than watched: a mount
 * swaps symbolic links above the file, and may come after its readers.
 */
import { open } from 'node:fs/promises';
import type { Cancel, Clock } from './clock.ts';

export type WatchedFileOptions = {
  readonly path: string;
  /** Larger files are not read. */
  readonly maxBytes: number;
  /** Time between looks, milliseconds. @default 2000 */
  readonly everyMs?: number;
};

/** Bytes of the file; `undefined` where there is none. */
export type FileContent = Uint8Array | undefined;

export type WatchedFileDeps = {
  readonly clock: Clock;
  /** What the first look found, and each change after it. */
  readonly onContent: (content: FileContent) => void;
  /** Told once for each state of the file that cannot be read. */
  readonly onFailure: (error: Error) => void;
};

export class WatchedFile implements Disposable {
  readonly #options: WatchedFileOptions;
  readonly #deps: WatchedFileDeps;
  #seen: string | undefined;
  #timer: Cancel | undefined;
  #disposed = false;

  constructor(options: WatchedFileOptions, deps: WatchedFileDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Looks once, and then again and again until disposed of. */
  async start(): Promise<void> {
    await this.#look();
    if (this.#disposed) return;
    this.#timer = this.#deps.clock.after(this.#options.everyMs ?? 2_000, () => void this.start());
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#timer?.();
  }

  async #look(): Promise<void> {
    const { path, maxBytes } = this.#options;
    try {
      await using file = await open(path, 'r');
      const { ino, size, mtimeNs } = await file.stat({ bigint: true });
      if (!this.#isNews(`${ino} ${size} ${mtimeNs}`)) return;
      if (size > maxBytes) throw new Error(`${size} bytes are more than the ${maxBytes} that are read`);
      this.#tell(await file.readFile());
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      if ('code' in error && error.code === 'ENOENT') return this.#isNews('none') ? this.#tell(undefined) : undefined;
      // What was read before this failure may come again: the next good look is news.
      if (this.#isNews(`failed: ${error.message}`) && !this.#disposed) this.#deps.onFailure(error);
    }
  }

  #tell(content: FileContent): void {
    if (!this.#disposed) this.#deps.onContent(content);
  }

  #isNews(state: string): boolean {
    if (this.#seen === state) return false;
    this.#seen = state;
    return true;
  }
}
