/** When the next certificate is asked for (section 4), as arithmetic. */
import type { Random } from '../lifecycle/random.ts';

export type Validity = { readonly notBefore: number; readonly notAfter: number };

/** Share of the half life by which renewals are spread, both ways, so that pods started together do not renew together. */
const jitter = 0.05;

/**
 * A certificate that is past its half life when it arrives must not be renewed in a loop. So is any that lives no longer than
 * its authority dates it back, two minutes for ours: a renewal waits for a quarter of what is left.
 */
const shareLeft = 0.25;
/** Milliseconds, for one that has ended. */
const floorMs = 1_000;

/** Milliseconds from `now` to the renewal of a certificate just received: at half its life, ±5 %. */
export function renewalDelayMs({ notBefore, notAfter }: Validity, now: number, random: Random): number {
  const halfLife = (notAfter - notBefore) / 2;
  const spread = 1 + jitter * (2 * random.unit() - 1);
  return Math.max(floorMs, notBefore + halfLife * spread - now, (notAfter - now) * shareLeft * spread);
}

/** Milliseconds to the next attempt after a failed one: the back-off's delay, but not beyond the end of what is in use. */
export function retryDelayMs(backoffMs: number, current: Validity | undefined, now: number): number {
  if (current === undefined || current.notAfter <= now) return backoffMs;
  return Math.min(backoffMs, current.notAfter - now);
}
