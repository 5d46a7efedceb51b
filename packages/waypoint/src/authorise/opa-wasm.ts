/**
 * Rego as WASM in this process: a bundle on disk, watched.
 *
 *   files change ─▶ read ─▶ loaded in threads of its own ─▶ answers from then on
 *                     └──────────┴ rejected, and said why ─▶ the last good bundle goes on
 *
 * B1  A bundle answers whole or not at all: module and data change together, between two questions.
 * B2  Questions under way are answered by the bundle they were asked of.
 */
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { WasmPoolDeps } from './opa-wasm-pool.ts';
import { readBundle } from './opa-bundle.ts';
import type { BundleReading } from './opa-bundle.ts';
import { fingerprint, readBundleFiles } from './opa-bundle-files.ts';
import type { Evaluation, OpaEngine } from './opa-engine.ts';
import { WasmPool } from './opa-wasm-pool.ts';

export type OpaWasmOptions = {
  /** A directory, or a `tar.gz`. */
  readonly bundle: string;
  /** Of the rule, such as `envoy/authz/allow`. */
  readonly path: string;
  /** One evaluation, milliseconds; a longer one is stopped. @default 50 */
  readonly watchdogMs?: number;
  /** One question, waiting included, milliseconds. @default 200 */
  readonly timeoutMs?: number;
  /** How long questions wait for the first bundle, milliseconds: refused, they would be asked again. @default 2 000 */
  readonly firstBundleMs?: number;
  /** From 1 to 4. @default 1 */
  readonly threads?: number;
  /** Between two looks at the files, milliseconds. @default 250 */
  readonly pollMs?: number;
};

export class OpaWasmEngine implements OpaEngine {
  readonly #options: OpaWasmOptions;
  readonly #deps: WasmPoolDeps;
  readonly #listeners = new Set<() => void>();
  readonly #stopped = new AbortController();
  readonly #retiring = new Set<Promise<void>>();
  readonly #watching: Promise<void>;
  /** Settles when the first bundle answers, or is rejected. */
  readonly started: Promise<void>;
  #pool: WasmPool | undefined;
  #seen = '';
  #rejection = 'the bundle is being loaded';

  constructor(options: OpaWasmOptions, deps: WasmPoolDeps) {
    this.#options = options;
    this.#deps = deps;
    this.started = this.#look();
    this.#watching = this.#watch();
  }

  get revision(): string {
    return this.#pool?.revision ?? '';
  }

  get cacheable(): boolean {
    return this.#pool?.cacheable ?? false;
  }

  /** Why the newest bundle does not answer; `undefined` when it does. */
  get rejection(): string | undefined {
    return this.#rejection === '' ? undefined : this.#rejection;
  }

  async evaluate(input: string, signal: AbortSignal): Promise<Evaluation> {
    if (this.#pool === undefined) await this.#firstBundle(signal);
    if (this.#pool !== undefined) return this.#pool.evaluate(input, signal);
    return { kind: 'unavailable', reason: `no bundle of ${this.#options.bundle} answers: ${this.#rejection}` };
  }

  onActivation(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    this.#listeners.clear();
    await this.#watching;
    if (this.#pool !== undefined) this.#retire(this.#pool);
    this.#pool = undefined;
    this.#rejection = 'nobody asks it any more';
    await Promise.all(this.#retiring);
  }

  /** Waits for the first bundle, within bounds. */
  async #firstBundle(signal: AbortSignal): Promise<void> {
    const waited = new AbortController();
    const either = AbortSignal.any([signal, waited.signal]);
    const late = delay(this.#deps.clock, this.#options.firstBundleMs ?? 2_000, either).catch(() => {});
    await Promise.race([this.started, late]);
    waited.abort();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopped;
    await this.started;
    while (!signal.aborted) {
      await delay(this.#deps.clock, this.#options.pollMs ?? 250, signal).catch(() => {});
      if (!signal.aborted) await this.#look();
    }
  }

  /** One look at the files; never rejects. */
  async #look(): Promise<void> {
    try {
      const seen = await fingerprint(this.#options.bundle);
      if (seen === this.#seen) return;
      this.#seen = seen;
      await this.#admit(readBundle(await readBundleFiles(this.#options.bundle), this.#options.path));
    } catch (thrown) {
      this.#reject(thrown instanceof Error ? thrown.message : String(thrown));
    }
  }

  async #admit(reading: BundleReading): Promise<void> {
    if (reading.kind === 'rejected') return this.#reject(reading.reason);
    const { bundle } = reading;
    if (bundle.revision === this.#pool?.revision) return void (this.#rejection = '');
    const start = await WasmPool.start({ watchdogMs: 50, ...this.#options, bundle }, this.#deps);
    if (start.kind === 'rejected') return this.#reject(start.reason);
    this.#activate(start.pool);
  }

  #activate(pool: WasmPool): void {
    const replaced = this.#pool;
    this.#pool = pool;
    this.#rejection = '';
    this.#deps.logger.info('a policy bundle answers', { bundle: this.#options.bundle, revision: pool.revision });
    for (const listener of this.#listeners) listener();
    if (replaced !== undefined) this.#retire(replaced);
  }

  #retire(pool: WasmPool): void {
    const retired = pool[Symbol.asyncDispose]().finally(() => this.#retiring.delete(retired));
    this.#retiring.add(retired);
  }

  /** Said once for one state of the files. */
  #reject(reason: string): void {
    if (reason === this.#rejection) return;
    this.#rejection = reason;
    this.#deps.logger.error('a policy bundle was rejected; the last good one goes on', {
      bundle: this.#options.bundle,
      reason,
      answering: this.#pool?.revision ?? 'none',
    });
  }
}
