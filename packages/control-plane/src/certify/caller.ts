/** Who calls, as the token proves it. */

export type Caller = {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** The pod the token was made for; absent for tokens bound to nothing. */
  readonly pod?: { readonly name: string; readonly uid: string };
  /** Name of the node that pod runs on. */
  readonly node?: string;
};

export type Authentication =
  /** `expiresAtMs`: milliseconds since the epoch until which the token is believed. */
  | { readonly kind: 'caller'; readonly caller: Caller; readonly expiresAtMs: number }
  /** `reason` is for the log; the caller learns only that it is not authenticated. */
  | { readonly kind: 'refused'; readonly reason: string };

/** Who calls, by the `authorization` header of a call. Never throws: whatever it holds, the answer is a caller or a reason. */
export type CallerAuthenticator = { authenticate(header: string | null): Promise<Authentication> };

/** A caller for as long as its token holds. */
export type Authenticated = Extract<Authentication, { readonly kind: 'caller' }>;

/** `namespace/account`, as options and messages name it. */
export function accountOf(caller: Caller): string {
  return `${caller.namespace}/${caller.serviceAccount}`;
}
