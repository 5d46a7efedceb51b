/**
 * What becomes of one idempotency key: pure, so that every store can be held to it (l7-and-resilience C1).
 *
 *             begin                complete
 *   absent ─────────▶ in flight ─────────────▶ done ── ttl ──▶ absent
 *      ▲               │  │  └─ unknown, or the lease passed ─▶ unknown
 *      └ not dispatched┘                                          │
 *      └──────────────────── resolve (an operator) ───────────────┘──▶ done
 *
 * S1  Only a begin that finds nothing is a claim, and only a claim may be dispatched.
 * S2  A lease that has passed reads as unknown from that moment on, in every event; nothing needs to be written for it.
 * S3  A claim is ended by the token it was made with, while its lease holds; anything else is stale and changes nothing.
 * S4  In flight and unknown have no expiry: were they to vanish, the next request would be dispatched a second time.
 */
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';

export type IdempotencyRecord =
  | {
      readonly state: 'in-flight';
      readonly fingerprint: string;
      readonly requestId: string;
      readonly token: string;
      /** By the store's clock, milliseconds since the epoch. */
      readonly leaseUntilMs: number;
    }
  | { readonly state: 'unknown'; readonly fingerprint: string; readonly requestId: string }
  | {
      readonly state: 'done';
      readonly fingerprint: string;
      readonly requestId: string;
      /** Absent: no longer kept. */
      readonly answer?: Uint8Array;
      readonly expiresAtMs: number;
    };

export type IdempotencyEvent =
  | {
      readonly kind: 'begin';
      readonly fingerprint: string;
      /** Names the claim; drawn at random for each. */
      readonly token: string;
      /** Leads from the record to the access log. */
      readonly requestId: string;
      readonly leaseMs: number;
    }
  | { readonly kind: 'complete'; readonly token: string; readonly answer: Uint8Array; readonly ttlMs: number }
  | { readonly kind: 'unknown'; readonly token: string }
  | { readonly kind: 'not-dispatched'; readonly token: string }
  | { readonly kind: 'look' }
  /** Found out by other means: without an answer the request was never processed, and its key is free again. */
  | { readonly kind: 'resolve'; readonly answer?: Uint8Array; readonly ttlMs: number };

export type IdempotencyVerdict =
  | { readonly kind: 'claimed' }
  | { readonly kind: 'mismatch' }
  | { readonly kind: 'in-flight'; readonly requestId: string; readonly leaseLeftMs: number }
  | { readonly kind: 'unknown'; readonly requestId: string; readonly fingerprint: string }
  | { readonly kind: 'done'; readonly requestId: string; readonly fingerprint: string; readonly answer?: Uint8Array }
  | { readonly kind: 'absent' }
  /** The claim was ended, or the unknown outcome resolved. */
  | { readonly kind: 'settled' }
  /** The claim is not (or no longer) the caller's to end. */
  | { readonly kind: 'stale' };

/** `next` absent: the record is removed, or there still is none. */
export type Transition = { readonly verdict: IdempotencyVerdict; readonly next: IdempotencyRecord | undefined };

/** The record after an event, and what the event's sender is told. */
export function transition(record: IdempotencyRecord | undefined, event: IdempotencyEvent, nowMs: number): Transition {
  const current = asOf(record, nowMs);
  switch (event.kind) {
    case 'begin':
      return begin(current, event, nowMs);
    case 'look':
      return { verdict: seen(current, nowMs), next: current };
    case 'complete':
    case 'unknown':
    case 'not-dispatched':
      if (current?.state !== 'in-flight' || current.token !== event.token) return { verdict: { kind: 'stale' }, next: current };
      return { verdict: { kind: 'settled' }, next: ended(current, event, nowMs) };
    case 'resolve':
      if (current?.state !== 'unknown') return { verdict: seen(current, nowMs), next: current };
      return {
        verdict: { kind: 'settled' },
        next: event.answer === undefined ? undefined : done(current, event.answer, event.ttlMs, nowMs),
      };
    default:
      return unreachable(event);
  }
}

/** S2, and the expiry of what is done. */
function asOf(record: IdempotencyRecord | undefined, nowMs: number): IdempotencyRecord | undefined {
  if (record?.state === 'in-flight' && record.leaseUntilMs <= nowMs) return unknown(record);
  if (record?.state === 'done' && record.expiresAtMs <= nowMs) return undefined;
  return record;
}

function begin(
  current: IdempotencyRecord | undefined,
  { fingerprint, requestId, token, leaseMs }: IdempotencyEvent & { readonly kind: 'begin' },
  nowMs: number,
): Transition {
  if (current === undefined)
    return {
      verdict: { kind: 'claimed' },
      next: { state: 'in-flight', fingerprint, requestId, token, leaseUntilMs: nowMs + leaseMs },
    };
  return { verdict: current.fingerprint === fingerprint ? seen(current, nowMs) : { kind: 'mismatch' }, next: current };
}

function seen(current: IdempotencyRecord | undefined, nowMs: number): IdempotencyVerdict {
  switch (current?.state) {
    case undefined:
      return { kind: 'absent' };
    case 'in-flight':
      return { kind: 'in-flight', requestId: current.requestId, leaseLeftMs: current.leaseUntilMs - nowMs };
    case 'unknown':
      return { kind: 'unknown', requestId: current.requestId, fingerprint: current.fingerprint };
    case 'done': {
      const { requestId, fingerprint, answer } = current;
      return { kind: 'done', requestId, fingerprint, ...(answer === undefined ? {} : { answer }) };
    }
    default:
      return unreachable(current);
  }
}

function ended(
  current: IdempotencyRecord,
  event: IdempotencyEvent & { readonly kind: 'complete' | 'unknown' | 'not-dispatched' },
  nowMs: number,
): IdempotencyRecord | undefined {
  if (event.kind === 'not-dispatched') return undefined;
  return event.kind === 'unknown' ? unknown(current) : done(current, event.answer, event.ttlMs, nowMs);
}

function unknown({ fingerprint, requestId }: IdempotencyRecord): IdempotencyRecord {
  return { state: 'unknown', fingerprint, requestId };
}

function done(
  { fingerprint, requestId }: IdempotencyRecord,
  answer: Uint8Array,
  ttlMs: number,
  nowMs: number,
): IdempotencyRecord {
  return { state: 'done', fingerprint, requestId, answer, expiresAtMs: nowMs + ttlMs };
}
