/**
 * What stages give each other. A stage either lets an exchange go on, or answers it.
 *
 *   accept ─▶ authorise ─▶ shape ─▶ route ─▶ forward
 */
import type { Failure } from './failure.ts';

/** Changes a policy makes to the request on its way to the service; names are lower case. */
export type RequestChanges = {
  readonly set: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
  /** Of the query; removed first, then set. */
  readonly query?: {
    readonly set: Readonly<Record<string, readonly string[]>>;
    readonly remove: readonly string[];
  };
};

export const noChanges: RequestChanges = { set: {}, remove: [] };

/** An answer made without the service: a redirect, a replayed answer. */
export type LocalAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Uint8Array | string;
  /** After the body, such as `grpc-status`. */
  readonly trailers?: Readonly<Record<string, string | readonly string[]>>;
};

export type Refused = { readonly kind: 'refused'; readonly failure: Failure };
