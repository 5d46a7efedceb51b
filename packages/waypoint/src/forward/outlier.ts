/**
 * When an endpoint is taken out of rotation, and for how long (l7-and-resilience B6). Nothing here sets a timer: what
 * happens with time is computed when it is asked for.
 *
 * O1  Answers and failures of the way to the endpoint are counted apart: each has its own limit.
 * O2  An ejection must leave the share of ejected endpoints within the maximum, and one endpoint in any case; both are
 *     looked at with the ejection counted in.
 * O3  Whoever returns starts from zero; only the length of the next ejection remembers, and forgets by one for each
 *     healthy interval.
 */
import type { OutlierPolicy } from '@clearmesh/shared/model/l7/resilience';

/** One endpoint's record; changed in place. */
export type Health = {
  consecutive5xx: number;
  consecutiveLocal: number;
  /** Monotonic milliseconds; 0: in rotation. */
  ejectedUntilMs: number;
  /** How often it was ejected, as of `healthySinceMs`. */
  timesEjected: number;
  healthySinceMs: number;
};

export type EjectionCause = 'consecutive-5xx' | 'consecutive-local';

/** What one attempt says of its endpoint: `healthy` ends both counts, `neutral` says nothing. */
export type Sign = 'healthy' | 'answer' | 'local' | 'neutral';

/** Below this number of endpoints a tenth would be none. */
const fewEndpoints = 10;

export function newHealth(nowMs: number): Health {
  return { consecutive5xx: 0, consecutiveLocal: 0, ejectedUntilMs: 0, timesEjected: 0, healthySinceMs: nowMs };
}

/** Counts one attempt; the limit that is reached with it, if any. */
export function recvSign(health: Health, sign: Sign, policy: OutlierPolicy): EjectionCause | undefined {
  if (sign === 'neutral') return undefined;
  // Whatever the answer was: the way to the endpoint works.
  health.consecutiveLocal = sign === 'local' ? health.consecutiveLocal + 1 : 0;
  if (sign === 'healthy') health.consecutive5xx = 0;
  else if (sign === 'answer') health.consecutive5xx += 1;
  if (health.ejectedUntilMs > 0) return undefined;
  if (sign === 'answer' && health.consecutive5xx >= policy.consecutive5xx) return 'consecutive-5xx';
  return sign === 'local' && health.consecutiveLocal >= policy.consecutiveLocal ? 'consecutive-local' : undefined;
}

/** O2. */
export function mayEject(ejected: number, total: number, policy: OutlierPolicy): boolean {
  const percent = policy.maxEjectionPercent ?? (total < fewEndpoints ? 50 : 10);
  return ejected + 1 < total && (ejected + 1) * 100 <= percent * total;
}

export function eject(health: Health, nowMs: number, policy: OutlierPolicy): void {
  const healthySweeps = Math.floor((nowMs - health.healthySinceMs) / policy.intervalMs);
  health.timesEjected = Math.max(0, health.timesEjected - healthySweeps) + 1;
  health.ejectedUntilMs = nowMs + Math.min(policy.baseEjectionMs * health.timesEjected, policy.maxEjectionMs);
}

/** O3. */
export function restore(health: Health): void {
  health.healthySinceMs = health.ejectedUntilMs;
  health.ejectedUntilMs = 0;
  health.consecutive5xx = 0;
  health.consecutiveLocal = 0;
}

/** Too few in rotation for the ejections to be believed. */
export function inPanic(healthy: number, total: number, policy: OutlierPolicy): boolean {
  return healthy * 100 < policy.panicPercent * total;
}
