/** What the verified token of a request says. */

export type Claims = Readonly<Record<string, unknown>>;

export type TokenFacts = {
  /** `iss/sub`. */
  readonly principal: string;
  readonly claims: Claims;
  /** Since the epoch, milliseconds; absent for a token that does not end. */
  readonly expiresAtMs?: number;
};
