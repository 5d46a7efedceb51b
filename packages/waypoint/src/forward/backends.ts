/** The dispatchers of all backends, made when first asked for, and what they share: one idle timer and one rotation. */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import { BreakerRotation } from './breaker-rotation.ts';
import type { BreakerFactory } from './breaker.ts';
import { Dispatcher } from './dispatch.ts';
import type { BackendStatus } from './dispatch.ts';
import type { ForwardMetrics } from './dispatch-request.ts';
import { IdleWatch } from './idle-watch.ts';
import { OpossumBreaker } from './opossum-breaker.ts';
import type { Upstream } from './upstream.ts';

export type BackendsOptions = {
  /** Backends that are remembered; beyond that the oldest one without a request is forgotten. @default 4 096 */
  readonly maxBackends?: number;
};

export type BackendsDeps = {
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: ForwardMetrics;
  /** Another engine. @default opossum */
  readonly createBreaker?: BreakerFactory;
};

export class Backends implements Disposable {
  readonly #maxBackends: number;
  readonly #deps: BackendsDeps & { readonly createBreaker: BreakerFactory; readonly idle: IdleWatch };
  readonly #rotation: BreakerRotation;
  /** In the order they were made. */
  readonly #dispatchers = new Map<string, Dispatcher>();

  constructor(options: BackendsOptions, deps: BackendsDeps) {
    this.#maxBackends = options.maxBackends ?? 4_096;
    this.#rotation = new BreakerRotation({}, deps);
    const breakerDeps = { clock: deps.clock, random: deps.random, rotation: this.#rotation };
    this.#deps = {
      createBreaker: (options) => new OpossumBreaker(options, breakerDeps),
      ...deps,
      idle: new IdleWatch({}, deps),
    };
  }

  get size(): number {
    return this.#dispatchers.size;
  }

  /** Exchanges under way, of forgotten backends too. */
  get active(): number {
    return this.#deps.idle.size;
  }

  /** @param key such as `ns/hostname:port`; the same one whatever the configuration says else */
  of(key: string): Dispatcher {
    const known = this.#dispatchers.get(key);
    if (known !== undefined) return known;
    if (this.#dispatchers.size >= this.#maxBackends) this.#forgetOne();
    const dispatcher = new Dispatcher({ backend: key }, this.#deps);
    this.#dispatchers.set(key, dispatcher);
    return dispatcher;
  }

  /** After a new configuration: forgets backends, and breakers of routes, that are not in it. */
  retain(isUsed: (backend: string, route?: string) => boolean): void {
    for (const [key, dispatcher] of this.#dispatchers) {
      if (isUsed(key)) dispatcher.retainRoutes((route) => isUsed(key, route));
      else this.#forget(key, dispatcher);
    }
  }

  status(): readonly BackendStatus[] {
    return Array.from(this.#dispatchers.values(), (dispatcher) => dispatcher.status);
  }

  [Symbol.dispose](): void {
    for (const [key, dispatcher] of this.#dispatchers) this.#forget(key, dispatcher);
    this.#rotation[Symbol.dispose]();
    this.#deps.idle[Symbol.dispose]();
  }

  #forgetOne(): void {
    for (const [key, dispatcher] of this.#dispatchers) {
      if (dispatcher.active > 0) continue;
      return this.#forget(key, dispatcher);
    }
  }

  #forget(key: string, dispatcher: Dispatcher): void {
    this.#dispatchers.delete(key);
    dispatcher[Symbol.dispose]();
  }
}
