/** RateLimitPolicy objects made ready for the request path: what can be computed once is computed here. */
import { createHash } from 'node:crypto';
import type { RateLimit, RateLimitKeyPart, RateLimitPolicy } from '@clearmesh/shared/model/l7/rate-limit';
import type { HttpMatch } from '@clearmesh/shared/model/l7/route';
import type { RequestFacts } from '../exchange/request-facts.ts';
import { policyItem } from './rate-limit-fields.ts';
import type { RedisStore } from './redis-client.ts';
import type { BucketRule } from './token-bucket.ts';

/** One a day: a limit of no requests still has a time to come back after. */
const slowestPerMs = 1 / 86_400_000;

export type RequestPredicate = (request: RequestFacts) => boolean;

/** One limit, ready to be asked. */
export type CompiledLimit = BucketRule & {
  /** `RateLimitPolicy namespace/name`. */
  readonly policy: string;
  readonly name: string;
  readonly shadow: boolean;
  readonly matches: RequestPredicate;
  readonly key: readonly RateLimitKeyPart[];
  /** Prefix of its buckets' names; another rule gives another prefix, so that a changed limit starts anew. */
  readonly bucketPrefix: string;
  /** Its member of the field `RateLimit-Policy`. */
  readonly policyItem: string;
};

/** Limits that are counted in one round trip to one store. */
export type GlobalLimits = {
  readonly store: RedisStore;
  readonly onStoreFailure: RateLimitPolicy['onStoreFailure'];
  readonly limits: readonly CompiledLimit[];
};

/** The limits of one service. */
export type CompiledRateLimits = { readonly local: readonly CompiledLimit[]; readonly global: readonly GlobalLimits[] };

export type RateLimitRulesOptions = {
  /** The service concerned, such as `ledger/ledger.ledger.svc.cluster.local`: services do not share buckets. */
  readonly service: string;
};

/**
 * @param predicateOf compiles ORed matches; called once a limit, and not for an empty list
 */
export function compileRateLimits(
  policies: readonly RateLimitPolicy[],
  options: RateLimitRulesOptions,
  predicateOf: (matches: readonly HttpMatch[]) => RequestPredicate,
): CompiledRateLimits {
  const local: CompiledLimit[] = [];
  const groups = new Map<string, GlobalLimits & { readonly limits: CompiledLimit[] }>();
  for (const policy of policies)
    for (const limit of policy.limits) {
      const compiled = compileLimit(policy, limit, options.service, predicateOf);
      // A global limit without a store is one that counts here: the policy says that there is nowhere else.
      if (limit.scope === 'local' || policy.store === undefined) local.push(compiled);
      else groupOf(groups, policy.store, policy.onStoreFailure).limits.push(compiled);
    }
  const global = [...groups.values()].map((group) => ({ ...group, limits: totalsFirst(group.limits) }));
  return { local: totalsFirst(local), global };
}

function compileLimit(
  policy: RateLimitPolicy,
  limit: RateLimit,
  service: string,
  predicateOf: (matches: readonly HttpMatch[]) => RequestPredicate,
): CompiledLimit {
  const { name, shadow, key, requests, windowMs, burst } = limit;
  const rule = JSON.stringify([policy.key, service, name, requests, windowMs, burst, key]);
  return {
    policy: policy.key,
    name,
    shadow,
    matches: limit.matches.length === 0 ? always : predicateOf(limit.matches),
    key,
    ratePerMs: Math.max(requests / windowMs, slowestPerMs),
    burst,
    bucketPrefix: createHash('sha256').update(rule).digest('base64url').slice(0, 16),
    policyItem: policyItem(limit),
  };
}

function groupOf(
  groups: Map<string, GlobalLimits & { readonly limits: CompiledLimit[] }>,
  store: RedisStore,
  onStoreFailure: RateLimitPolicy['onStoreFailure'],
): { readonly limits: CompiledLimit[] } {
  const key = JSON.stringify([store, onStoreFailure]);
  const group = groups.get(key) ?? { store, onStoreFailure, limits: [] };
  groups.set(key, group);
  return group;
}

/** A limit for all before those of each key (l7-and-resilience B9). */
function totalsFirst(limits: readonly CompiledLimit[]): CompiledLimit[] {
  return [...limits.filter(({ key }) => key.length === 0), ...limits.filter(({ key }) => key.length > 0)];
}

function always(): boolean {
  return true;
}
