/**
 * The process's connections to Redis, as configuration wants them: one for each server and lane, shared by all policies.
 *
 * K1  `retain` opens and closes; the request path only looks one up.
 * K2  A store that cannot be opened has no connection, and its users refuse or fail open as their policy says.
 */
import type { L7Policies } from '@clearmesh/shared/model/l7/configuration';
import { RedisConnection, messageOf } from './redis-connection.ts';
import type { RedisCommands, RedisConnectionDeps, RedisHealth } from './redis-connection.ts';
import type { RedisStore } from './redis-client.ts';

export type RedisNeed = {
  readonly store: RedisStore;
  /** `replicated` waits for replicas (WAIT holds up its whole connection), so it is kept apart from everything else. */
  readonly lane: 'shared' | 'replicated';
};

/** What the stages see of this. */
export interface RedisConnectionSource {
  /** `undefined`: not retained. */
  get(need: RedisNeed): RedisCommands | undefined;
}

export type RedisConnectionsOptions = {
  /** More are not opened. @default 32 */
  readonly maxConnections?: number;
};

export class RedisConnections implements RedisConnectionSource, AsyncDisposable {
  readonly #maxConnections: number;
  readonly #deps: RedisConnectionDeps;
  readonly #open = new Map<string, RedisConnection>();
  readonly #closing = new Set<Promise<void>>();

  constructor(options: RedisConnectionsOptions, deps: RedisConnectionDeps) {
    this.#maxConnections = options.maxConnections ?? 32;
    this.#deps = deps;
  }

  get(need: RedisNeed): RedisCommands | undefined {
    return this.#open.get(keyOf(need));
  }

  /** Opens what is new and closes what is no longer wanted; commands under way on the latter fail. */
  retain(needs: readonly RedisNeed[]): void {
    const wanted = new Map(needs.map((need) => [keyOf(need), need]));
    for (const [key, connection] of this.#open) if (!wanted.has(key)) this.#close(key, connection);
    for (const [key, { store }] of wanted) if (!this.#open.has(key)) this.#connect(key, store);
  }

  /** By store and lane, such as `redis://keys:6379/0 shared`; for readiness and the admin page. */
  health(): ReadonlyMap<string, RedisHealth> {
    return new Map([...this.#open].map(([key, { health }]) => [key, health]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [key, connection] of this.#open) this.#close(key, connection);
    await Promise.all(this.#closing);
  }

  #connect(key: string, store: RedisStore): void {
    if (this.#open.size >= this.#maxConnections) {
      this.#deps.logger.error('too many redis stores: this one is not used', { url: store.url, max: this.#maxConnections });
      return;
    }
    try {
      this.#open.set(key, new RedisConnection({ store }, this.#deps));
    } catch (thrown) {
      this.#deps.logger.error('a redis store cannot be used', { error: messageOf(thrown) });
    }
  }

  #close(key: string, connection: RedisConnection): void {
    this.#open.delete(key);
    const closing = connection[Symbol.asyncDispose]().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}

/** The connections a configuration asks for. */
export function redisNeedsOf({ resilience, rateLimits }: Pick<L7Policies, 'resilience' | 'rateLimits'>): RedisNeed[] {
  const needs: RedisNeed[] = [];
  for (const { idempotency } of Object.values(resilience)) {
    if (idempotency?.mode !== 'key' || idempotency.store.kind !== 'redis') continue;
    // Operators look and resolve on the shared lane.
    needs.push({ store: idempotency.store, lane: 'shared' });
    if (idempotency.waitReplicas > 0) needs.push({ store: idempotency.store, lane: 'replicated' });
  }
  for (const { store } of Object.values(rateLimits)) if (store !== undefined) needs.push({ store, lane: 'shared' });
  return needs;
}

function keyOf({ store, lane }: RedisNeed): string {
  // Policies with other limits or another password do not share: both belong to the connection.
  return `${store.url} ${lane} ${store.timeoutMs} ms ${store.passwordFile ?? ''}`.trimEnd();
}
