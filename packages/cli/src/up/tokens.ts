/**
 * The tokens by which node proxies and waypoints prove themselves to the control plane: the shape of Kubernetes' projected service
 * account tokens, signed with a key that lives in this process only. The control plane gets the public half as JWKS.
 */
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { CryptoKey, JWK } from 'jose';

/** Who a token speaks for. */
export type TokenAccount = {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: { readonly name: string; readonly uid: string };
  readonly node: string;
};

export type TokenClaims = {
  readonly iss: string;
  readonly aud: readonly string[];
  readonly sub: string;
  readonly iat: number;
  readonly nbf: number;
  readonly exp: number;
  readonly 'kubernetes.io': {
    readonly namespace: string;
    readonly serviceaccount: { readonly name: string };
    readonly pod: { readonly name: string; readonly uid: string };
    readonly node: { readonly name: string };
  };
};

/** Kubernetes projects them for this long in the proxy's chart (control-plane contract section 7), in seconds. */
export const tokenLifetimeSeconds = 43_200;

/** The claims of a token issued at `nowMs`. */
export function tokenClaims(account: TokenAccount, nowMs: number): TokenClaims {
  const issuedAt = Math.floor(nowMs / 1000);
  return {
    iss: 'clearmesh',
    aud: ['istio-ca'],
    sub: `system:serviceaccount:${account.namespace}:${account.serviceAccount}`,
    iat: issuedAt,
    nbf: issuedAt,
    exp: issuedAt + tokenLifetimeSeconds,
    'kubernetes.io': {
      namespace: account.namespace,
      serviceaccount: { name: account.serviceAccount },
      pod: { name: account.pod.name, uid: account.pod.uid },
      node: { name: account.node },
    },
  };
}

/** An ES256 key pair; the private half never leaves memory. */
export class TokenKey {
  readonly #privateKey: CryptoKey;
  readonly #publicJwk: JWK & { readonly kid: string };

  private constructor(privateKey: CryptoKey, publicJwk: JWK & { readonly kid: string }) {
    this.#privateKey = privateKey;
    this.#publicJwk = publicJwk;
  }

  static async create(): Promise<TokenKey> {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const jwk = await exportJWK(publicKey);
    return new TokenKey(privateKey, { ...jwk, alg: 'ES256', use: 'sig', kid: await calculateJwkThumbprint(jwk) });
  }

  /** The JWKS with the public key, as the control plane's --token-keys takes it. */
  jwks(): string {
    return JSON.stringify({ keys: [this.#publicJwk] });
  }

  sign(claims: TokenClaims): Promise<string> {
    const header = { alg: 'ES256', kid: this.#publicJwk.kid, typ: 'JWT' };
    return new SignJWT({ ...claims, aud: [...claims.aud] }).setProtectedHeader(header).sign(this.#privateKey);
  }
}
