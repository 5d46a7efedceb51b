/** Token buckets as values: refilled when they are looked at, by the time that has passed; no timer. */

/** One bucket's rule. */
export type BucketRule = {
  /** Tokens per millisecond. */
  readonly ratePerMs: number;
  /** Tokens in a full bucket. */
  readonly burst: number;
};

/** Changed in place: a bucket is touched by every request. */
export type Bucket = { tokens: number; atMs: number };

/** Tokens at `nowMs`; a clock that went back refills nothing. */
export function tokensAt(bucket: Bucket, { ratePerMs, burst }: BucketRule, nowMs: number): number {
  return Math.min(burst, bucket.tokens + Math.max(0, nowMs - bucket.atMs) * ratePerMs);
}

/** Milliseconds until there are `wanted` tokens. */
export function waitMs(tokens: number, wanted: number, { ratePerMs }: BucketRule): number {
  return tokens >= wanted ? 0 : (wanted - tokens) / ratePerMs;
}

/**
 * Buckets by name, the least recently used forgotten first. A forgotten bucket is full when it comes back: a limit is only
 * as strict as `maxBuckets` is larger than the number of keys in use within a window.
 */
export class TokenBuckets {
  readonly #maxBuckets: number;
  /** Two generations: a Map that is reordered with each touch costs twice as much as one that is thrown away whole. */
  #young = new Map<string, Bucket>();
  #old = new Map<string, Bucket>();

  /** @param maxBuckets at one time; at least half as many are remembered. @default 65 536 */
  constructor(options: { readonly maxBuckets?: number } = {}) {
    this.#maxBuckets = options.maxBuckets ?? 65_536;
  }

  /** Buckets remembered now. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The bucket of that name, a full one where there is none. */
  bucket(name: string, rule: BucketRule, nowMs: number): Bucket {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    const bucket = this.#old.get(name) ?? { tokens: rule.burst, atMs: nowMs };
    this.#old.delete(name);
    this.#young.set(name, bucket);
    if (this.#young.size * 2 >= this.#maxBuckets) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    return bucket;
  }
}
