/** Things that outlive a configuration: opened when one first names them, closed a while after the last did. */
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';

export type KeyedResourcesOptions = {
  /** Requests under way may still use what no configuration names any more, milliseconds. @default 10 000 */
  readonly graceMs?: number;
};

export class KeyedResources<Resource extends AsyncDisposable> implements AsyncDisposable {
  readonly #graceMs: number;
  readonly #clock: Clock;
  readonly #open = new Map<string, Resource>();
  readonly #leaving = new Map<Resource, Cancel>();
  readonly #closing = new Set<Promise<void>>();

  constructor(options: KeyedResourcesOptions, deps: { readonly clock: Clock }) {
    this.#graceMs = options.graceMs ?? 10_000;
    this.#clock = deps.clock;
  }

  get size(): number {
    return this.#open.size;
  }

  values(): Iterable<Resource> {
    return this.#open.values();
  }

  /** The one of that key, opened if there is none. */
  take(key: string, open: () => Resource): Resource {
    const known = this.#open.get(key);
    if (known !== undefined) return known;
    const opened = open();
    this.#open.set(key, opened);
    return opened;
  }

  /** Closes all others after the grace. */
  retain(keys: ReadonlySet<string>): void {
    for (const [key, resource] of this.#open) {
      if (keys.has(key)) continue;
      this.#open.delete(key);
      this.#leaving.set(
        resource,
        this.#clock.after(this.#graceMs, () => this.#close(resource)),
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const resource of this.#open.values()) this.#close(resource);
    this.#open.clear();
    for (const [resource, cancel] of this.#leaving) {
      cancel();
      this.#close(resource);
    }
    await Promise.all(this.#closing);
  }

  #close(resource: Resource): void {
    this.#leaving.delete(resource);
    const closed = Promise.resolve(resource[Symbol.asyncDispose]()).finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
  }
}
