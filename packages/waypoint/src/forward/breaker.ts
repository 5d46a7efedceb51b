/**
 * What forwarding asks of a circuit breaker; `opossum-breaker.ts` is the engine behind it.
 *
 * C1  A ticket is for one attempt. Its result counts only in the state it was issued in: what was sent before the
 *     breaker opened neither closes nor opens it again.
 * C2  Half open, exactly one attempt is let through at a time: the probe.
 */

/** `neutral` counts nowhere; `throttled` neither, but it does not let a half-open breaker close. */
export type BreakerVerdict = 'success' | 'failure' | 'throttled' | 'neutral';

export type BreakerTicket = { readonly probe: boolean };

export type BreakerStatus = {
  readonly state: 'closed' | 'open' | 'half-open';
  /** Since the epoch, milliseconds. */
  readonly sinceMs: number;
  /** Attempts that counted within the window, and how many of them failed. */
  readonly attempts: number;
  readonly failures: number;
};

export interface Breaker extends Disposable {
  readonly status: BreakerStatus;
  /** `undefined`: not now. Every ticket must be reported. */
  admit(): BreakerTicket | undefined;
  report(ticket: BreakerTicket, verdict: BreakerVerdict): void;
}

export type BreakerOptions = {
  readonly name: string;
  readonly errorThresholdPercent: number;
  readonly volumeThreshold: number;
  readonly windowMs: number;
  readonly openMs: number;
  readonly maxOpenMs: number;
  /** After this time a probe counts as failed, milliseconds: longer than any attempt may take. */
  readonly probeMs: number;
};

export type BreakerFactory = (options: BreakerOptions) => Breaker;
