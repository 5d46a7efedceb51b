/**
 * Power of two choices over the peak-sensitive moving average of round-trip times (l7-and-resilience B5).
 *
 * Times are monotonic milliseconds. A load is changed in place: there is one for each endpoint, and it moves twice a
 * request.
 */
import type { Random } from '@clearmesh/shared/lifecycle/random';

/** What is known of one endpoint's speed. */
export type Load = {
  /** As it was at `atMs`; it fades from then on. */
  ewmaMs: number;
  atMs: number;
  /** Attempts whose answer has not ended. */
  inFlight: number;
};

/** What a failure counts as at least, milliseconds: a pod that fails at once must not look fast. */
const basePenaltyMs = 5_000;
/** How far an endpoint's own Retry-After is believed, milliseconds. */
const maxPenaltyMs = 300_000;
/** How often an endpoint that was tried already is drawn again before all are looked through. */
const maxSelections = 5;

export function newLoad(initialRttMs: number, nowMs: number): Load {
  return { ewmaMs: initialRttMs, atMs: nowMs, inFlight: 0 };
}

/** Jumps to a sample above what is left of the average, else approaches it with time constant `decayMs`. */
export function recordRtt(load: Load, rttMs: number, nowMs: number, decayMs: number): void {
  const weight = weightOf(load, nowMs, decayMs);
  const faded = load.ewmaMs * weight;
  load.ewmaMs = rttMs > faded ? rttMs : faded + rttMs * (1 - weight);
  load.atMs = nowMs;
}

/** Counts a failure as a very long round trip, as long as the endpoint itself asked for if that is longer. */
export function recordPenalty(load: Load, retryAfterMs: number, nowMs: number, decayMs: number): void {
  const faded = load.ewmaMs * weightOf(load, nowMs, decayMs);
  load.ewmaMs = Math.max(basePenaltyMs, Math.min(retryAfterMs, maxPenaltyMs), faded);
  load.atMs = nowMs;
}

/** The cost of one more request; it fades while no sample comes, so that a penalty ends by itself. */
export function costOf(load: Load, nowMs: number, decayMs: number): number {
  return load.ewmaMs * weightOf(load, nowMs, decayMs) * (load.inFlight + 1);
}

export type Balanced = { readonly load: Load };

/**
 * The cheaper of two distinct candidates drawn at random, preferably none of `tried`: after five draws in vain all are
 * looked through, and only if every one was tried is one repeated.
 */
export function chooseBalanced<T extends Balanced>(
  candidates: readonly T[],
  tried: readonly T[],
  nowMs: number,
  decayMs: number,
  random: Random,
): T | undefined {
  let chosen = cheaperOfTwo(candidates, nowMs, decayMs, random);
  if (tried.length === 0 || chosen === undefined) return chosen;
  for (let selection = 1; selection < maxSelections && tried.includes(chosen); selection++) {
    chosen = cheaperOfTwo(candidates, nowMs, decayMs, random) ?? chosen;
  }
  if (!tried.includes(chosen)) return chosen;
  const untried = candidates.filter((candidate) => !tried.includes(candidate));
  return cheaperOfTwo(untried, nowMs, decayMs, random) ?? chosen;
}

function cheaperOfTwo<T extends Balanced>(
  candidates: readonly T[],
  nowMs: number,
  decayMs: number,
  random: Random,
): T | undefined {
  const count = candidates.length;
  if (count < 2) return candidates[0];
  const first = Math.floor(random.unit() * count);
  const other = Math.floor(random.unit() * (count - 1));
  // Drawn from the rest: indexes from the first one on move up by one.
  const one = candidates[first];
  const two = candidates[other < first ? other : other + 1];
  if (one === undefined || two === undefined) return one ?? two;
  return costOf(two.load, nowMs, decayMs) < costOf(one.load, nowMs, decayMs) ? two : one;
}

function weightOf(load: Load, nowMs: number, decayMs: number): number {
  return Math.exp(-Math.max(0, nowMs - load.atMs) / decayMs);
}
