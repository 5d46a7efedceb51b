/**
 * What the mesh has no answer to, for one pod: whom to ask, what was answered before, and who asks the same just now.
 *
 *   query ─▶ whom to ask ─▶ key ─┬─ none ─────────────▶ asked
 *                                ├─ kept ─────────────▶ held
 *                                ├─ under way ────────▶ shared
 *                                └─ else ─────────────▶ asked, and kept
 *
 * O1  Questions are shared and answers kept only among equal ones (K1), asked of the same servers.
 * O2  Shared are only such of one protocol and one size of datagrams: of another, the answer might be cut, or not fit.
 * O3  A failure is told to those who wait for it, and not kept.
 */
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { AnswerCache } from './answer-cache.ts';
import { keyOf } from './answer-lifetime.ts';
import type { Way } from './forwarder.ts';
import type { Query } from './message.ts';
import { resolversFor } from './nameservers.ts';
import type { Asking } from './responder.ts';

/** An answer as another server has told it, maybe to another one of these questions. */
export type Found =
  | { readonly kind: 'held'; readonly answer: Uint8Array }
  | { readonly kind: 'shared' | 'asked'; readonly answer: Promise<Uint8Array> };

/** What became of a question that may be answered from memory. */
export type CacheOutcome = 'hit' | 'shared' | 'miss';

export type OtherResolversDeps = {
  /** The first answer; rejects when there is none in time. */
  readonly forward: (query: Query, way: Way, signal: AbortSignal) => Promise<Uint8Array>;
  /** Absent: every question goes on. */
  readonly cache?: Pick<AnswerCache, 'recall' | 'keep'>;
  readonly metrics: { cacheUsed(outcome: CacheOutcome): void };
};

/** RFC 1035 section 4.2.1, for who says nothing else. */
const plainDatagram = 512;

export class OtherResolvers {
  readonly #own: readonly SocketAddress[];
  readonly #deps: OtherResolversDeps;
  readonly #underWay = new Map<string, Promise<Uint8Array>>();

  /** @param options.nameservers of the proxy: asked for pods that ask one of them, or whose own are not known */
  constructor(options: { readonly nameservers: readonly SocketAddress[] }, deps: OtherResolversDeps) {
    this.#own = options.nameservers;
    this.#deps = deps;
  }

  /** Questions under way that others may join. */
  get size(): number {
    return this.#underWay.size;
  }

  /** @param signal of the pod: the same for all of its questions */
  ask(query: Query, { protocol, server }: Asking, signal: AbortSignal): Found {
    const { cache, forward, metrics } = this.#deps;
    const nameservers = resolversFor(server?.(), this.#own);
    const way: Way = { nameservers, protocol };
    const key = cache === undefined ? undefined : keyOf(query, nameservers);
    if (cache === undefined || key === undefined) return { kind: 'asked', answer: forward(query, way, signal) };
    const limit = protocol === 'tcp' ? Infinity : (query.edns?.payload ?? plainDatagram);
    const held = cache.recall(key, limit);
    if (held !== undefined) {
      metrics.cacheUsed('hit');
      return { kind: 'held', answer: held };
    }
    const shared = `${protocol} ${limit} ${key}`;
    const underWay = this.#underWay.get(shared);
    metrics.cacheUsed(underWay === undefined ? 'miss' : 'shared');
    if (underWay !== undefined) return { kind: 'shared', answer: underWay };
    const answer = this.#askAndKeep(
      shared,
      () => forward(query, way, signal),
      (message) => cache.keep(key, query, message),
    );
    return { kind: 'asked', answer };
  }

  /** Nobody awaits in between, so that the question is under way before another one can come. */
  #askAndKeep(shared: string, forward: () => Promise<Uint8Array>, keep: (message: Uint8Array) => void): Promise<Uint8Array> {
    const asking = async (): Promise<Uint8Array> => {
      try {
        const message = await forward();
        keep(message);
        return message;
      } finally {
        this.#underWay.delete(shared);
      }
    };
    const answer = asking();
    this.#underWay.set(shared, answer);
    return answer;
  }
}
