/** The breakers of one backend, one for each route that leads to it and has one. */
import type { Breaker, BreakerFactory, BreakerStatus } from './breaker.ts';
import type { ForwardPolicy } from './forward-policy.ts';

type Options = NonNullable<ForwardPolicy['breaker']>;
type Entry = { readonly breaker: Breaker; readonly options: Options };

/** Routes with a breaker; the one that was made first goes when there are more. */
const maxBreakers = 1_024;

export class RouteBreakers implements Disposable {
  readonly #backend: string;
  readonly #create: BreakerFactory;
  readonly #entries = new Map<string, Entry>();

  constructor(options: { readonly backend: string }, deps: { readonly createBreaker: BreakerFactory }) {
    this.#backend = options.backend;
    this.#create = deps.createBreaker;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The route's breaker, made anew if its rules changed; what it learned stays as long as they do not. */
  of(route: string, options: Options | undefined): Breaker | undefined {
    if (options === undefined) return undefined;
    const known = this.#entries.get(route);
    if (known?.options === options) return known.breaker;
    return this.#replace(route, options, known);
  }

  /** Ends the breakers of routes that are gone. */
  retain(isUsed: (route: string) => boolean): void {
    for (const route of this.#entries.keys()) if (!isUsed(route)) this.#end(route);
  }

  *status(): Iterable<BreakerStatus & { readonly route: string }> {
    for (const [route, { breaker }] of this.#entries) yield { route, ...breaker.status };
  }

  [Symbol.dispose](): void {
    for (const route of this.#entries.keys()) this.#end(route);
  }

  #replace(route: string, options: Options, known: Entry | undefined): Breaker {
    if (known !== undefined && isSame(known.options, options)) {
      // A new configuration of the same content.
      this.#entries.set(route, { breaker: known.breaker, options });
      return known.breaker;
    }
    if (known !== undefined) this.#end(route);
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined && this.#entries.size >= maxBreakers) this.#end(oldest);
    const breaker = this.#create({ name: `${this.#backend} ${route}`, ...options });
    this.#entries.set(route, { breaker, options });
    return breaker;
  }

  #end(route: string): void {
    this.#entries.get(route)?.breaker[Symbol.dispose]();
    this.#entries.delete(route);
  }
}

function isSame(one: Options, other: Options): boolean {
  return (
    one.errorThresholdPercent === other.errorThresholdPercent &&
    one.volumeThreshold === other.volumeThreshold &&
    one.windowMs === other.windowMs &&
    one.openMs === other.openMs &&
    one.maxOpenMs === other.maxOpenMs &&
    one.probeMs === other.probeMs
  );
}
