/** Why a keyed request was not dispatched, as its caller is told (draft-ietf-httpapi-idempotency-key-header section 2.7). */
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import type { Failure } from '../exchange/failure.ts';
import type { IdempotencyVerdict } from './idempotency-state.ts';
import type { StoreUnavailable } from './idempotency-store.ts';

/** Outcomes of a begin but for a claim. */
export type RefusedBegin = Exclude<IdempotencyVerdict, { kind: 'claimed' }> | StoreUnavailable;

export function failureOf(verdict: RefusedBegin): Failure {
  switch (verdict.kind) {
    case 'mismatch':
      return {
        kind: 'idempotency-mismatch',
        detail: 'this key was used with another method, path, query or body; use a new key',
      };
    case 'in-flight':
      return {
        kind: 'idempotency-in-flight',
        detail: `request ${verdict.requestId} with this key is under way; send the same request again later`,
        // Most requests end long before their lease; whoever asks again too early is told this again.
        headers: { 'retry-after': '1' },
      };
    case 'unknown':
      return {
        kind: 'idempotency-unknown',
        detail: `request ${verdict.requestId} with this key may or may not have been processed; find out, then have the key resolved`,
        headers: { 'x-mesh-outcome': 'unknown' },
      };
    case 'done':
      // Not 503: asking again would never help.
      return {
        kind: 'idempotency-unavailable',
        status: 409,
        detail: `request ${verdict.requestId} with this key was completed; its answer is no longer kept or cannot be read`,
        headers: { 'x-mesh-outcome': 'completed' },
      };
    case 'unavailable':
      return {
        kind: 'idempotency-unavailable',
        detail: `${verdict.detail}; nothing was dispatched`,
        headers: { 'retry-after': '1' },
      };
    case 'absent':
    case 'settled':
    case 'stale':
      return { kind: 'idempotency-unavailable', detail: `the store answered ${verdict.kind} to a begin; nothing was dispatched` };
    default:
      return unreachable(verdict);
  }
}
