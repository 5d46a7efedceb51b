/** Where idempotency records live: each event is one atomic transition of {@link transition} against the store's own clock. */
import type { IdempotencyEvent, IdempotencyVerdict } from './idempotency-state.ts';

/** The event may or may not have been applied; whoever sent a begin must not dispatch. */
export type StoreUnavailable = { readonly kind: 'unavailable'; readonly detail: string };

export interface IdempotencyStore {
  /** Never rejects. `record` is an id of `recordId`. */
  apply(record: string, event: IdempotencyEvent): Promise<IdempotencyVerdict | StoreUnavailable>;
}
