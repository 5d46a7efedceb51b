/**
 * One resource, kept up to date: listed once, then watched from the version of the list.
 *
 *            ┌────────────────── 410, spoilt event, time for a fresh list ──────────────────┐
 *            ▼                                                                              │
 *         listing ── listed ──▶ watching ── ended, cut off, 429, 5xx: wait, same version ──▶┤
 *            │ ▲                   ▲                                                        │
 *   404, 403,│ │ wait              └────────────────────────────────────────────────────────┘
 *   429, 5xx ▼ │
 *          waiting
 *
 * In: the API server's answers. Out: whole lists, single changes, and a {@link WatchState} when it changes.
 * I1  What was listed stays until the server says otherwise: no failure removes an object.
 * I2  A watch goes on from the last version that was seen whole; a line that was cut off is asked for again.
 * I3  Every wait has jitter, so that replicas do not return together; a server that names a wait gets at least that.
 * I4  A resource that is gone (404) is believed at once before the first list, and afterwards only when it stays gone:
 *     the policies of a mesh must not vanish with one wrong answer.
 */
import { Backoff } from '@clearmesh/shared/lifecycle/backoff';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import { answerText } from './api-answer.ts';
import { listAll, selectors } from './list.ts';
import { collectionPath } from './resource.ts';
import { readWatch } from './watch-stream.ts';
import type { ApiClient } from './api-client.ts';
import type { ApiFailure } from './api-answer.ts';
import type { ListOptions } from './list.ts';
import type { ApiObject, Resource } from './resource.ts';
import type { WatchEnd } from './watch-stream.ts';

export type InformerOptions = Omit<ListOptions, 'resource'> & {
  /** The first that the server has is used. */
  readonly resources: readonly [Resource, ...Resource[]];
  /** Milliseconds after which a watch that ends is followed by a fresh list. @default one hour */
  readonly relistMs?: number;
  /** Milliseconds before a resource that is missing or not permitted is asked for again. @default 5000 */
  readonly missingRetryMs?: number;
  /** Milliseconds for which a resource must be gone to be believed (I4). @default 30 000 */
  readonly goneMs?: number;
};

/** `sinceMs`: milliseconds since the epoch. */
export type WatchState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'synced' }
  /** The server knows no such resource. */
  | { readonly kind: 'absent'; readonly sinceMs: number }
  | { readonly kind: 'forbidden'; readonly sinceMs: number; readonly message: string }
  | { readonly kind: 'failing'; readonly sinceMs: number; readonly message: string };

/** None of them may throw. */
export type InformerListener<T> = {
  /** All objects there are. */
  recvList(items: readonly T[], resource: Resource): void;
  recvChange(item: T): void;
  recvRemoval(item: T): void;
  recvState(state: WatchState): void;
};

type Deps<T> = {
  readonly api: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  /** What is kept of an object. Must not throw. */
  readonly read: (object: ApiObject) => T;
  readonly listener: InformerListener<T>;
};

type Listed = { readonly resource: Resource; readonly version: string };

/** A stream that ends sooner is no success: a server that closes each one at once is not asked in a hot loop. */
const shortestStreamMs = 1000;

export class Informer<T> implements AsyncDisposable {
  readonly #options: InformerOptions;
  readonly #deps: Deps<T>;
  readonly #closing = new AbortController();
  readonly #backoff: Backoff;
  #state: WatchState = { kind: 'starting' };
  #listed = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: InformerOptions, deps: Deps<T>) {
    this.#options = options;
    this.#deps = deps;
    this.#backoff = new Backoff({ initialMs: 250, maxMs: 30_000, jitter: 0.3 }, { random: deps.random });
  }

  get state(): WatchState {
    return this.#state;
  }

  /** True once there was a list, and until the resource is gone for good. */
  get listed(): boolean {
    return this.#listed;
  }

  /** Begins, and goes on by itself. */
  start(): void {
    this.#running = this.#run(this.#closing.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        const listed = await this.#list(signal);
        if (listed !== undefined) await this.#watch(listed, signal);
      }
    } catch (error) {
      // The end is always the abort: whatever the server does is a value, and listeners do not throw.
      if (!signal.aborted) throw error;
    }
  }

  async #list(signal: AbortSignal): Promise<Listed | undefined> {
    const { api, read, listener } = this.#deps;
    const { resources, ...selection } = this.#options;
    let failure: ApiFailure | undefined;
    for (const resource of resources) {
      const listing = await listAll(api, { ...selection, resource }, read, signal);
      if (listing.kind === 'listed') {
        this.#listed = true;
        listener.recvList(listing.items, resource);
        this.#enter({ kind: 'synced' });
        return { resource, version: listing.version };
      }
      failure = listing;
      if (!isMissing(listing)) break;
    }
    if (failure !== undefined) await this.#recvFailure(failure, signal);
    return undefined;
  }

  /** Until a fresh list is needed. */
  async #watch(listed: Listed, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const sinceMs = clock.monotonicMs();
    let { version } = listed;
    for (;;) {
      const openedMs = clock.monotonicMs();
      const end = await this.#follow({ ...listed, version }, signal);
      if (end.kind === 'failed') {
        if (isGone(end.failure)) return;
        await this.#recvFailure(end.failure, signal);
        if (isMissing(end.failure) || isForbidden(end.failure)) return;
        continue;
      }
      ({ version } = end);
      const tooShort = clock.monotonicMs() - openedMs < shortestStreamMs;
      if (tooShort) await delay(clock, this.#backoff.next(), signal);
      else this.#backoff.reset();
      if (end.kind === 'expired') return;
      if (clock.monotonicMs() - sinceMs > (this.#options.relistMs ?? 3_600_000)) return;
    }
  }

  #follow({ resource, version }: Listed, signal: AbortSignal): Promise<WatchEnd> {
    const { api, clock, random, read, listener } = this.#deps;
    return readWatch(
      {
        path: collectionPath(resource, this.#options.namespace),
        query: selectors({ ...this.#options, resource }),
        resource,
        version,
        // Four to eight minutes, as others do, so that the watches of a fleet do not end together.
        timeoutS: Math.floor(240 * (1 + random.unit())),
      },
      {
        api,
        clock,
        onOpen: () => this.#enter({ kind: 'synced' }),
        onEvent: (event) => {
          if (event.kind === 'removed') listener.recvRemoval(read(event.object));
          else listener.recvChange(read(event.object));
        },
      },
      signal,
    );
  }

  async #recvFailure(failure: ApiFailure, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps;
    this.#enter(this.#stateOf(failure));
    if (isMissing(failure) || isForbidden(failure)) {
      this.#forgetWhatIsGone();
      const retryMs = this.#options.missingRetryMs ?? 5000;
      return delay(clock, retryMs * (1 + 0.3 * random.unit()), signal);
    }
    const askedMs = failure.kind === 'refused' ? (failure.retryAfterMs ?? 0) : 0;
    return delay(clock, Math.max(this.#backoff.next(), askedMs * (1 + 0.3 * random.unit())), signal);
  }

  #stateOf(failure: ApiFailure): WatchState {
    const kind = isMissing(failure) ? 'absent' : isForbidden(failure) ? 'forbidden' : 'failing';
    const sinceMs = 'sinceMs' in this.#state && this.#state.kind === kind ? this.#state.sinceMs : this.#deps.clock.now();
    return kind === 'absent' ? { kind, sinceMs } : { kind, sinceMs, message: answerText(failure) };
  }

  /** I4. */
  #forgetWhatIsGone(): void {
    if (this.#state.kind !== 'absent' || !this.#listed) return;
    if (this.#deps.clock.now() - this.#state.sinceMs < (this.#options.goneMs ?? 30_000)) return;
    this.#listed = false;
    this.#deps.listener.recvList([], this.#options.resources[0]);
  }

  #enter(state: WatchState): void {
    const same = state.kind === this.#state.kind && textOf(state) === textOf(this.#state);
    this.#state = state;
    if (!same) this.#deps.listener.recvState(state);
  }
}

function textOf(state: WatchState): string {
  return 'message' in state ? state.message : '';
}

function isMissing(failure: ApiFailure): boolean {
  return failure.kind === 'refused' && failure.status === 404;
}

function isForbidden(failure: ApiFailure): boolean {
  return failure.kind === 'refused' && (failure.status === 403 || failure.status === 401);
}

/** The version of the list is too old to watch from. */
function isGone(failure: ApiFailure): boolean {
  return failure.kind === 'refused' && failure.status === 410;
}
