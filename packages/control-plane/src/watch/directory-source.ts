/**
 * A directory of manifests as a source of collections.
 *
 * In: files. Out: {@link SourceEvent}s, in order.
 * W1  Whole or not at all: a reading with any problem changes nothing; the last good collections keep serving.
 * W2  What is wrong only while it is written is not reported: a rejected reading is repeated once before it counts.
 * W3  No change is lost: the watch stands before the first reading, and an event during a reading causes another.
 */
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { watch } from 'chokidar';
import type { FSWatcher } from 'chokidar';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import { Debounce } from '../lifecycle/debounce.ts';
import { ManifestDirectory } from './manifest-directory.ts';
import type { Collections } from '../manifest/collections.ts';
import type { ConfigurationSource, SourceEvent } from './configuration-source.ts';
import type { DirectoryReading, ManifestDirectoryOptions } from './manifest-directory.ts';

export type DirectorySourceOptions = ManifestDirectoryOptions & {
  /** Milliseconds without an event before files are read. @default 50 */
  readonly quietMs?: number;
  /** Milliseconds after the first event at which they are read in any case. @default 300 */
  readonly maxMs?: number;
  /** Milliseconds before a rejected reading is repeated (W2). @default 100 */
  readonly retryMs?: number;
};

export class DirectorySource implements ConfigurationSource {
  readonly #options: DirectorySourceOptions;
  readonly #directory: ManifestDirectory;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  readonly #debounce: Debounce;
  readonly #listeners = new Set<(event: SourceEvent) => void>();
  #watchers: readonly FSWatcher[] = [];
  #reading: Promise<void> = Promise.resolve();
  /** An event came after the reading that runs began. */
  #stale = false;
  #collections: Collections | undefined;

  private constructor(options: DirectorySourceOptions, deps: { readonly clock: Clock; readonly logger: Logger }) {
    this.#options = options;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#directory = new ManifestDirectory(options);
    this.#debounce = new Debounce(
      { quietMs: options.quietMs ?? 50, maxMs: options.maxMs ?? 300 },
      { clock: deps.clock, run: () => this.#recvSettled() },
    );
  }

  /** Watches, without having read; MESH-CONFIG-003 when the directory cannot be watched. */
  static async open(
    options: DirectorySourceOptions,
    deps: { readonly clock: Clock; readonly logger: Logger },
    signal: AbortSignal,
  ): Promise<DirectorySource> {
    const { statusFile } = options;
    const directory = resolve(options.directory);
    await requireDirectory(directory, '--directory');
    if (statusFile !== undefined) await requireDirectory(dirname(resolve(statusFile)), '--status');
    const absolute = { ...options, directory, ...(statusFile === undefined ? {} : { statusFile: resolve(statusFile) }) };
    const source = new DirectorySource(absolute, deps);
    try {
      await source.#watch(signal);
    } catch (error) {
      await source[Symbol.asyncDispose]();
      throw error;
    }
    return source;
  }

  /** The last good collections; `undefined` before the first. */
  get collections(): Collections | undefined {
    return this.#collections;
  }

  /** Calls back for each reading that counts; returns the unsubscriber. */
  onEvent(listener: (event: SourceEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The first reading; its event is delivered before this resolves. */
  async start(): Promise<void> {
    this.#recvSettled();
    await this.#reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#debounce[Symbol.dispose]();
    await Promise.all(this.#watchers.map((watcher) => watcher.close()));
    await this.#reading;
    this.#listeners.clear();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { directory, statusFile } = this.#options;
    const tree = watch(directory, { ignoreInitial: true });
    // The file is replaced by rename, which a watch on the file itself would follow to the old one.
    const beside = statusFile === undefined ? [] : [watch(dirname(statusFile), { ignoreInitial: true, depth: 0 })];
    this.#watchers = [tree, ...beside];
    await Promise.all(this.#watchers.map((watcher) => once(watcher, 'ready', { signal })));
    tree.on('all', (_event, path) => this.#recvChange(path));
    for (const watcher of beside) watcher.on('all', (_event, path) => path === statusFile && this.#recvChange(path));
    for (const watcher of this.#watchers) watcher.on('error', (error) => this.#recvWatchError(error));
  }

  #recvChange(path: string): void {
    this.#directory.forget(path);
    this.#debounce.trigger();
  }

  #recvWatchError(error: unknown): void {
    this.#logger.warn('watching the configuration failed', { error: textOf(error) });
    this.#debounce.trigger();
  }

  #recvSettled(): void {
    this.#stale = true;
    this.#reading = this.#reading.then(() => this.#readIfStale());
  }

  async #readIfStale(): Promise<void> {
    const { signal } = this.#closing;
    try {
      while (this.#stale && !signal.aborted) {
        this.#stale = false;
        const event = await this.#readTwice(signal);
        // A problem that a later event may have mended already is not worth a word.
        if (event.kind === 'taken' || !this.#stale) this.#emit(event);
      }
    } catch (error) {
      if (!signal.aborted) this.#logger.error('reading the configuration failed', { error: textOf(error) });
    }
  }

  async #readTwice(signal: AbortSignal): Promise<DirectoryReading> {
    const first = await this.#directory.read(signal);
    if (first.kind === 'taken') return first;
    await delay(this.#clock, this.#options.retryMs ?? 100, signal);
    return this.#directory.read(signal);
  }

  #emit(event: SourceEvent): void {
    if (event.kind === 'taken') this.#collections = event.collections;
    for (const listener of this.#listeners) listener(event);
  }
}

async function requireDirectory(path: string, flag: string): Promise<void> {
  const isDirectory = await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (isDirectory) return;
  throw new MeshError('MESH-CONFIG-003', { message: `${flag}: ${path} is not a directory`, hint: 'Create it, or name another.' });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
