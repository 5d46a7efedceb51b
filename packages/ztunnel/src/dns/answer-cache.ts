/**
 * Answers of other resolvers to one pod. No pod hears what another one was told: who may send raw packets, or administers its own
 * network, can forge what a resolver says there, and shall not forge it for others.
 *
 * H1  There are so many answers and so many bytes and no more; what was not asked for longest goes first.
 * H2  An answer is told until it has lived as long as it said, each time with what is left of that.
 */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { aged, lifetimeOf } from './answer-lifetime.ts';
import type { Lifetime } from './answer-lifetime.ts';
import type { Query } from './message.ts';

export type AnswerCacheOptions = {
  readonly maxEntries: number;
  /** Of answers, keys and what each costs besides. @default 512 KiB */
  readonly maxBytes?: number;
};

type Entry = { readonly message: Buffer; readonly lifetime: Lifetime; readonly sinceMs: number; readonly bytes: number };

/** A longer one, which only TCP brings, is asked for again. */
const longestAnswer = 4_096;
/** About what an entry needs besides its answer and its key: objects, a buffer's descriptor, its place in the map. */
const entryBytes = 400;

export class AnswerCache {
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  /** In the order of last use. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor({ maxEntries, maxBytes = 512 * 1_024 }: AnswerCacheOptions, deps: { readonly clock: Pick<Clock, 'monotonicMs'> }) {
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
    this.#clock = deps.clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The answer under a key, if it is there, has not ended (H2) and has at most `limit` bytes. */
  recall(key: string, limit: number): Uint8Array | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const ageSeconds = Math.floor((this.#clock.monotonicMs() - entry.sinceMs) / 1_000);
    if (ageSeconds >= entry.lifetime.seconds) {
      this.#forget(key, entry);
      return undefined;
    }
    if (entry.message.length > limit) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return aged(entry.message, entry.lifetime, ageSeconds);
  }

  /** Keeps an answer to a query if it may be kept; it takes the place of an earlier one. */
  keep(key: string, query: Query, answer: Uint8Array): void {
    const lifetime = answer.length > longestAnswer ? undefined : lifetimeOf(answer, query);
    if (lifetime === undefined) return;
    const former = this.#entries.get(key);
    if (former !== undefined) this.#forget(key, former);
    // Memory of its own: what was read from a socket is a part of something larger.
    const message = Buffer.allocUnsafeSlow(answer.length);
    message.set(answer);
    const bytes = entryBytes + message.length + key.length + lifetime.ttlOffsets.length * 8;
    this.#entries.set(key, { message, lifetime, sinceMs: this.#clock.monotonicMs(), bytes });
    this.#bytes += bytes;
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) break;
      this.#forget(oldest, entry);
    }
  }

  #forget(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}
