/**
 * Limits how many requests are let through (l7-and-resilience B9).
 *
 * Enters: the facts of a request and the limits of the service it calls. Leaves: fields for its answer, or a refusal.
 *
 *   local, before policy is asked ─▶ … ─▶ global, after the decision is written (B1)
 *
 * Q1  A request takes a token from every limit that applies to it, or from none: who is refused by his own limit does not
 *     use up the one that all share.
 * Q2  Limits for all are looked at before those of each key, and the first that is exceeded is the one that is named.
 * Q3  Shadow limits are counted and reported, and refuse nobody.
 * Q4  All global limits of a request that share a store cost one round trip.
 */
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Failure } from '../exchange/failure.ts';
import type { RequestFacts } from '../exchange/request-facts.ts';
import { allowedHeaders, joinedHeaders, noHeaders, rateLimited, rateLimitUnavailable } from './rate-limit-fields.ts';
import type { RateLimitHeaders, Remaining } from './rate-limit-fields.ts';
import { bucketName, hashedBucketName } from './rate-limit-key.ts';
import type { CompiledLimit, CompiledRateLimits, GlobalLimits } from './rate-limit-rules.ts';
import { messageOf } from './redis-connection.ts';
import type { RedisConnectionSource } from './redis-connections.ts';
import { takeGlobally } from './redis-token-bucket.ts';
import { TokenBuckets, tokensAt } from './token-bucket.ts';
import type { Bucket } from './token-bucket.ts';

export type RateLimiterOptions = {
  /** @default 65 536 */
  readonly maxBuckets?: number;
};

export type RateLimiterDeps = { readonly clock: Clock; readonly random: Random; readonly redis: RedisConnectionSource };

export type RateLimitAllowed = {
  readonly kind: 'allowed';
  /** Of the answer, to be joined with the service's own (`joinedField`). */
  readonly headers: RateLimitHeaders;
  /** `policy: limit` of shadow limits that would have refused. */
  readonly shadowed: readonly string[];
  /** Why limits were not counted, or not together: flag RLSE. */
  readonly storeFailure?: string;
};

export type RateLimitOutcome =
  | RateLimitAllowed
  | { readonly kind: 'refused'; readonly failure: Failure; readonly shadowed: readonly string[] };

const nothingShadowed: readonly string[] = [];
const unlimited: RateLimitAllowed = { kind: 'allowed', headers: noHeaders, shadowed: nothingShadowed };

/** Counts for the whole process; configuration is given with each request, so that a new one keeps the buckets. */
export class RateLimiter {
  readonly #deps: RateLimiterDeps;
  readonly #buckets: TokenBuckets;

  constructor(options: RateLimiterOptions, deps: RateLimiterDeps) {
    this.#deps = deps;
    this.#buckets = new TokenBuckets(options);
  }

  /** Buckets in this process. */
  get bucketCount(): number {
    return this.#buckets.size;
  }

  /** @param template the route's path template where it is known already */
  checkLocal(rules: CompiledRateLimits, request: RequestFacts, template?: string): RateLimitOutcome {
    return rules.local.length === 0 ? unlimited : this.#countHere(applying(rules.local, request), request, template);
  }

  /** Never rejects. Awaits nothing where no global limit applies. */
  async checkGlobal(rules: CompiledRateLimits, request: RequestFacts, template?: string): Promise<RateLimitOutcome> {
    let outcome: RateLimitOutcome = unlimited;
    for (const group of rules.global) {
      const limits = applying(group.limits, request);
      if (limits.length === 0) continue;
      outcome = both(outcome, await this.#countThere(group, limits, request, template));
      if (outcome.kind === 'refused') return outcome;
    }
    return outcome;
  }

  #countHere(limits: readonly CompiledLimit[], request: RequestFacts, template: string | undefined): RateLimitOutcome {
    if (limits.length === 0) return unlimited;
    const nowMs = this.#deps.clock.monotonicMs();
    const buckets: Bucket[] = [];
    const had: number[] = [];
    for (const limit of limits) {
      const bucket = this.#buckets.bucket(bucketName(limit, request, template), limit, nowMs);
      buckets.push(bucket);
      had.push(tokensAt(bucket, limit, nowMs));
    }
    const outcome = this.#judge(limits, had);
    if (outcome.kind === 'allowed') for (const [index, bucket] of buckets.entries()) take(bucket, had[index] ?? 0, nowMs);
    return outcome;
  }

  async #countThere(
    { store, onStoreFailure }: GlobalLimits,
    limits: readonly CompiledLimit[],
    request: RequestFacts,
    template: string | undefined,
  ): Promise<RateLimitOutcome> {
    try {
      const connection = this.#deps.redis.get({ store, lane: 'shared' });
      if (connection === undefined) throw new Error(`no connection to ${store.url}`);
      const names = limits.map((limit) => hashedBucketName(limit, request, template));
      return this.#judge(limits, await takeGlobally(connection, names, limits));
    } catch (thrown) {
      const storeFailure = messageOf(thrown);
      switch (onStoreFailure) {
        case 'allow':
          return { ...unlimited, storeFailure };
        case 'local':
          return withStoreFailure(this.#countHere(limits, request, template), storeFailure);
        case 'deny': {
          const enforced = limits.find(({ shadow }) => !shadow);
          if (enforced === undefined) return { ...unlimited, storeFailure };
          return { kind: 'refused', failure: rateLimitUnavailable(enforced.policy, storeFailure), shadowed: nothingShadowed };
        }
        default:
          return unreachable(onStoreFailure);
      }
    }
  }

  /** @param had tokens of each limit's bucket before this request */
  #judge(limits: readonly CompiledLimit[], had: readonly number[]): RateLimitOutcome {
    const left: Remaining[] = [];
    let refused: Remaining[] | undefined;
    let shadowed: string[] | undefined;
    for (const [index, limit] of limits.entries()) {
      const tokens = had[index] ?? 0;
      if (limit.shadow) {
        if (tokens < 1) (shadowed ??= []).push(`${limit.policy}: ${limit.name}`);
      } else if (tokens < 1) (refused ??= []).push({ limit, tokens });
      else left.push({ limit, tokens: tokens - 1 });
    }
    if (refused !== undefined)
      return { kind: 'refused', failure: rateLimited(refused, this.#deps.random.unit()), shadowed: shadowed ?? nothingShadowed };
    return { kind: 'allowed', headers: allowedHeaders(left), shadowed: shadowed ?? nothingShadowed };
  }
}

/** Allocates only where some limit does not apply. */
function applying(limits: readonly CompiledLimit[], request: RequestFacts): readonly CompiledLimit[] {
  let some: CompiledLimit[] | undefined;
  for (const [index, limit] of limits.entries()) {
    const matches = limit.matches(request);
    if (!matches) some ??= limits.slice(0, index);
    else some?.push(limit);
  }
  return some ?? limits;
}

/** Empty buckets are those of shadow limits: nothing is taken from them. */
function take(bucket: Bucket, had: number, nowMs: number): void {
  bucket.tokens = had >= 1 ? had - 1 : had;
  bucket.atMs = nowMs;
}

function withStoreFailure(outcome: RateLimitOutcome, storeFailure: string): RateLimitOutcome {
  return outcome.kind === 'allowed' ? { ...outcome, storeFailure } : outcome;
}

/** Two stores' outcomes as one. */
function both(first: RateLimitOutcome, second: RateLimitOutcome): RateLimitOutcome {
  if (first === unlimited || first.kind === 'refused') return second;
  const shadowed = [...first.shadowed, ...second.shadowed];
  if (second.kind === 'refused') return { ...second, shadowed };
  const storeFailure = first.storeFailure ?? second.storeFailure;
  const headers = joinedHeaders(first.headers, second.headers);
  return { kind: 'allowed', headers, shadowed, ...(storeFailure === undefined ? {} : { storeFailure }) };
}
