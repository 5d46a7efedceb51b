/** Short names for the events of a record. */
import type { IdempotencyEvent } from '../../src/shape/idempotency-state.ts';

export const begin = (token = 't1', fingerprint = 'f1', leaseMs = 60_000): IdempotencyEvent => ({
  kind: 'begin',
  fingerprint,
  token,
  requestId: `r-${token}`,
  leaseMs,
});
export const complete = (token = 't1', answer = 'answer', ttlMs = 60_000): IdempotencyEvent => ({
  kind: 'complete',
  token,
  answer: Buffer.from(answer),
  ttlMs,
});
export const unknown = (token = 't1'): IdempotencyEvent => ({ kind: 'unknown', token });
export const notDispatched = (token = 't1'): IdempotencyEvent => ({ kind: 'not-dispatched', token });
export const look: IdempotencyEvent = { kind: 'look' };
export const resolve = (answer?: string): IdempotencyEvent => ({
  kind: 'resolve',
  ttlMs: 60_000,
  ...(answer === undefined ? {} : { answer: Buffer.from(answer) }),
});
