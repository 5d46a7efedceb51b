/**
 * Decisions kept for a while (l7-and-resilience B11).
 *
 * C1  The key is everything the answer may depend on: the inputs the policy is declared to read, who asks (proven
 *     identity and claims), which service, which rule, which revision.
 * C2  An allowance lives at most 30 s and never longer than the token it rests on; a denial 2 s, so that one who was
 *     granted access does not wait. Having no decision is never kept.
 * C3  Activation of another revision empties the cache.
 */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { canonicalJson } from './canonical-json.ts';
import type { OpaDecision } from './opa-result.ts';

export type DecisionCacheOptions = {
  /** Milliseconds; more than 30 000 counts as that. */
  readonly ttlMs: number;
  /** Paths into the input, such as `attributes.request.http.method`. */
  readonly inputs: readonly string[];
  /** @default 10 000 */
  readonly maxEntries?: number;
};

export type DecisionKeyParts = {
  readonly document: Readonly<Record<string, unknown>>;
  readonly revision: string;
  readonly path: string;
  readonly service: string;
  /** SPIFFE id of the caller. */
  readonly principal: string;
  readonly claims: Readonly<Record<string, unknown>> | undefined;
};

export type KeptDecision = { readonly decision: OpaDecision; readonly revision: string; readonly untilMs: number };

const maxTtlMs = 30_000;
const denialTtlMs = 2_000;

export class DecisionCache {
  readonly #ttlMs: number;
  readonly #inputs: readonly (readonly string[])[];
  readonly #clock: Clock;
  readonly #kept: LRUCache<string, KeptDecision>;

  constructor(options: DecisionCacheOptions, deps: { readonly clock: Clock }) {
    this.#ttlMs = Math.min(options.ttlMs, maxTtlMs);
    this.#inputs = options.inputs.map((path) => path.split('.'));
    this.#clock = deps.clock;
    this.#kept = new LRUCache({ max: options.maxEntries ?? 10_000 });
  }

  get size(): number {
    return this.#kept.size;
  }

  keyOf({ document, revision, path, service, principal, claims }: DecisionKeyParts): string {
    const inputs = this.#inputs.map((names) => valueAt(document, names));
    return hash('sha256', canonicalJson([inputs, revision, path, service, principal, claims]), 'base64url');
  }

  get(key: string): KeptDecision | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined || kept.untilMs > this.#clock.now()) return kept;
    this.#kept.delete(key);
    return undefined;
  }

  /** @param expiresAtMs of the token, since the epoch */
  keep(key: string, decision: OpaDecision, revision: string, expiresAtMs: number | undefined): void {
    const now = this.#clock.now();
    const ttlMs = decision.kind === 'denied' ? Math.min(denialTtlMs, this.#ttlMs) : this.#ttlMs;
    const untilMs = Math.min(now + ttlMs, expiresAtMs ?? Infinity);
    if (untilMs > now) this.#kept.set(key, { decision, revision, untilMs });
  }

  clear(): void {
    this.#kept.clear();
  }
}

/** Header names hold no dots in practice; one that does cannot be declared, and is then never part of a key. */
function valueAt(document: unknown, names: readonly string[]): unknown {
  let value = document;
  for (const name of names) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}
