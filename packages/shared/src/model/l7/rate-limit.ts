/** RateLimitPolicy (l7-and-resilience B9). */
import type { HttpMatch } from './route.ts';
import type { KeyValueStore } from './resilience.ts';

export type RateLimitPolicy = {
  readonly key: string;
  readonly limits: readonly RateLimit[];
  /** Where global limits count; absent where all are local. */
  readonly store?: Extract<KeyValueStore, { kind: 'redis' }>;
  /** Without the store: let through and count (`RLSE`), refuse with 503, or count in this process alone. @default allow */
  readonly onStoreFailure: 'allow' | 'deny' | 'local';
};

/** What shares one bucket; several parts are joined. */
export type RateLimitKeyPart =
  | { readonly kind: 'identity' }
  | { readonly kind: 'namespace' }
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'path' }
  | { readonly kind: 'method' };

export type RateLimit = {
  readonly name: string;
  readonly scope: 'local' | 'global';
  /** ORed; empty: every request. */
  readonly matches: readonly HttpMatch[];
  /** Empty: one bucket for all. */
  readonly key: readonly RateLimitKeyPart[];
  readonly requests: number;
  readonly windowMs: number;
  /** Requests at once from a full bucket. @default requests */
  readonly burst: number;
  /** Counted and reported, not enforced. @default false */
  readonly shadow: boolean;
};
