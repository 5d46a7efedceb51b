/** The fields `RateLimit-Policy`, `RateLimit` and `Retry-After` (draft-ietf-httpapi-ratelimit-headers-11), and the refusals. */
import type { RateLimit } from '@clearmesh/shared/model/l7/rate-limit';
import type { Failure } from '../exchange/failure.ts';
import { waitMs } from './token-bucket.ts';
import type { CompiledLimit } from './rate-limit-rules.ts';

/** What is left of one limit after a request. */
export type Remaining = { readonly limit: CompiledLimit; readonly tokens: number };

export type RateLimitHeaders = Readonly<Record<string, string>>;

export const noHeaders: RateLimitHeaders = {};

/** RFC 8941 section 3.3.3; what cannot stand in a string is replaced. */
function sfString(text: string): string {
  return `"${text.replaceAll(/[^\x20-\x7e]/g, '?').replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** One member of `RateLimit-Policy`: requests, and seconds, of which there is one at least. */
export function policyItem({ name, requests, windowMs }: Pick<RateLimit, 'name' | 'requests' | 'windowMs'>): string {
  return `${sfString(name)};q=${requests};w=${seconds(windowMs)}`;
}

/** For an answer that was let through: every limit that applied, and what is left of the tightest. */
export function allowedHeaders(remaining: readonly Remaining[]): RateLimitHeaders {
  let tightest: Remaining | undefined;
  let policies = '';
  for (const entry of remaining) {
    policies += policies === '' ? entry.limit.policyItem : `, ${entry.limit.policyItem}`;
    if (tightest === undefined || entry.tokens < tightest.tokens) tightest = entry;
  }
  if (tightest === undefined) return noHeaders;
  const { limit, tokens } = tightest;
  return {
    'ratelimit-policy': policies,
    ratelimit: rateLimitItem(limit.name, tokens, waitMs(tokens, limit.burst, limit)),
  };
}

/** A service's own fields stay, ours are further members: each can only make a caller slower. */
export function joinedField(ours: string, theirs: string | undefined): string {
  return theirs === undefined || theirs === '' ? ours : `${theirs}, ${ours}`;
}

/** The fields of two checks of one request. */
export function joinedHeaders(theirs: RateLimitHeaders, ours: RateLimitHeaders): RateLimitHeaders {
  const joined: Record<string, string> = { ...theirs };
  for (const [name, value] of Object.entries(ours)) joined[name] = joinedField(value, joined[name]);
  return joined;
}

/**
 * @param unit uniform in [0, 1): callers that were refused together do not come back together
 */
export function rateLimited(refused: readonly Remaining[], unit: number): Failure {
  const [first] = refused;
  const waits = refused.map(({ limit, tokens }) => waitMs(tokens, 1, limit));
  const longest = Math.max(...waits);
  // Never earlier than the token: up to a quarter later, at least somewhere within a second.
  const after = Math.ceil((longest + unit * Math.max(1_000, longest / 4)) / 1_000);
  const names = refused.map(({ limit }) => limit.name);
  const policies = refused.map(({ limit }) => limit.policyItem).join(', ');
  return {
    kind: 'rate-limited',
    detail: `over the limit ${names.join(', ')}; send again after ${after} s`,
    ...(first === undefined ? {} : { policy: first.limit.policy, rule: first.limit.name }),
    headers: {
      'content-type': 'application/problem+json',
      'retry-after': String(after),
      'ratelimit-policy': policies,
      ratelimit: rateLimitItem(names[0] ?? '', 0, after * 1_000),
      // Other proxies do not retry what we throttled (l7-and-resilience B3).
      'x-envoy-ratelimited': 'true',
    },
    body: problem('quota-exceeded', 'Request cannot be satisfied as assigned quota has been exceeded', 429, {
      'violated-policies': names,
    }),
  };
}

/** Without the store, where the policy asks to refuse then. */
export function rateLimitUnavailable(policy: string, detail: string): Failure {
  return {
    kind: 'rate-limit-unavailable',
    detail: `${policy} cannot count: ${detail}`,
    policy,
    headers: { 'content-type': 'application/problem+json', 'retry-after': '1' },
    body: problem(
      'temporary-reduced-capacity',
      'Request cannot be satisfied due to temporary server capacity constraints',
      503,
      {},
    ),
  };
}

function rateLimitItem(name: string, tokens: number, resetMs: number): string {
  return `${sfString(name)};r=${Math.max(0, Math.floor(tokens))};t=${Math.ceil(resetMs / 1_000)}`;
}

function problem(type: string, title: string, status: number, more: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ type: `https://iana.org/assignments/http-problem-types#${type}`, title, status, ...more });
}

function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000));
}
