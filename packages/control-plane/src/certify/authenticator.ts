/** `authorization: Bearer <token>` to a caller. Tokens never reach a log. */
import { errors, jwtVerify } from 'jose';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { callerOf } from './token-claims.ts';
import { bearerToken } from './bearer-token.ts';
import type { Authentication, CallerAuthenticator } from './caller.ts';
import type { TokenKeys } from './token-keys.ts';

export type AuthenticatorOptions = {
  /** One of these must be among the token's audiences. @default ['istio-ca'] */
  readonly audiences?: readonly string[];
  /** @default 'clearmesh' */
  readonly issuer?: string;
  /** Seconds by which clocks may differ. @default 10 */
  readonly clockToleranceS?: number;
};

export class Authenticator implements CallerAuthenticator {
  readonly #options: AuthenticatorOptions;
  readonly #keys: TokenKeys;
  readonly #clock: Clock;

  constructor(options: AuthenticatorOptions, deps: { readonly keys: TokenKeys; readonly clock: Clock }) {
    this.#options = options;
    this.#keys = deps.keys;
    this.#clock = deps.clock;
  }

  /** Never throws: whatever the header holds, the answer is a caller or a reason. */
  async authenticate(header: string | null): Promise<Authentication> {
    const bearer = bearerToken(header);
    if (bearer.kind === 'refused') return bearer;
    const toleranceS = this.#options.clockToleranceS ?? 10;
    try {
      const { payload } = await jwtVerify(bearer.token, await this.#keys.current(), {
        algorithms: ['ES256'],
        audience: [...(this.#options.audiences ?? ['istio-ca'])],
        issuer: this.#options.issuer ?? 'clearmesh',
        requiredClaims: ['exp', 'sub'],
        clockTolerance: toleranceS,
        currentDate: new Date(this.#clock.now()),
      });
      const claimed = callerOf(payload);
      return claimed.kind === 'refused' ? claimed : { ...claimed, expiresAtMs: ((payload.exp ?? 0) + toleranceS) * 1000 };
    } catch (error) {
      return { kind: 'refused', reason: reasonOf(error) };
    }
  }
}

/** jose's messages name claims and never quote the token. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JOSEError) return `${error.message} (${error.code})`;
  return error instanceof Error ? error.name : 'the token cannot be verified';
}
