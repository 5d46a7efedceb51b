/** RequestAuthentication (control-plane-contract section 4.5). */

export type RequestAuthentication =
  | { readonly key: string; readonly rules: readonly JwtRule[] }
  /** Stands for one that cannot be read: no token is known to be good. */
  | { readonly key: string; readonly unread: UnreadTokens };

/** As far as it can be told: where its tokens are, and which headers are its own. `all`: it cannot, and nobody passes. */
export type UnreadTokens = 'all' | readonly UnreadJwtRule[];

export type UnreadJwtRule = Pick<JwtRule, 'fromHeaders' | 'fromParams'> & {
  /** Headers that nobody else may set; lower case. */
  readonly outputs: readonly string[];
};

export type JwtRule = {
  readonly issuer: string;
  /** Empty: any audience. */
  readonly audiences: readonly string[];
  /** One of the two: a JWKS as JSON text, or where to fetch it. */
  readonly jwks?: string;
  readonly jwksUri?: string;
  /** Empty, with `fromParams` empty too: `Authorization: Bearer`. Names are lower case. */
  readonly fromHeaders: readonly { readonly name: string; readonly prefix: string }[];
  readonly fromParams: readonly string[];
  /** @default false */
  readonly forwardOriginalToken: boolean;
  /** The verified claims as base64url JSON for the service. */
  readonly outputPayloadToHeader?: string;
  readonly outputClaimToHeaders: readonly { readonly header: string; readonly claim: string }[];
};

/** The headers that a rule sets from verified claims, and nobody else may; lower case. */
export function outputHeaders({
  outputPayloadToHeader,
  outputClaimToHeaders,
}: {
  readonly outputPayloadToHeader?: string;
  readonly outputClaimToHeaders: readonly { readonly header: string }[];
}): readonly string[] {
  const names = outputClaimToHeaders.map(({ header }) => header);
  return [...names, ...(outputPayloadToHeader === undefined ? [] : [outputPayloadToHeader])].map((name) => name.toLowerCase());
}
