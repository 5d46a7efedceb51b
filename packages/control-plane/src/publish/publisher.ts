/** The resources in force, and word of each change to every stream. */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { ResourceSet } from '@clearmesh/shared/subscribe/resource-set';
import { Debounce } from '../lifecycle/debounce.ts';
import { modelResources, sameResources } from './model-resources.ts';
import type { MeshModel } from '../derive/mesh-model.ts';

export type PublisherOptions = {
  /** Milliseconds without a change before streams are told. @default 10 */
  readonly quietMs?: number;
  /** Milliseconds after the first change at which they are told in any case. @default 100 */
  readonly maxMs?: number;
};

/** What a stream sees of it. */
export interface PublishedSource {
  /** `undefined` until there is a first model: nothing may be sent before, since that would remove what proxies hold. */
  readonly current: ResourceSet | undefined;
  /** Returns the unsubscriber. */
  onChange(listener: () => void): () => void;
}

export class Publisher implements PublishedSource, Disposable {
  readonly #debounce: Debounce;
  readonly #listeners = new Set<() => void>();
  #current: ResourceSet | undefined;

  constructor(options: PublisherOptions, deps: { readonly clock: Clock }) {
    const times = { quietMs: options.quietMs ?? 10, maxMs: options.maxMs ?? 100 };
    this.#debounce = new Debounce(times, { clock: deps.clock, run: () => this.#tell() });
  }

  get current(): ResourceSet | undefined {
    return this.#current;
  }

  /** Takes over a model; `false` when nothing on the wire changed. */
  publish(model: MeshModel): boolean {
    const next = modelResources(model, this.#current);
    if (sameResources(this.#current, next)) return false;
    this.#current = next;
    this.#debounce.trigger();
    return true;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  [Symbol.dispose](): void {
    this.#debounce[Symbol.dispose]();
    this.#listeners.clear();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
