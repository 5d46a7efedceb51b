/** Keys of an issuer, and signatures checked with them. */
import { compactVerify, createLocalJWKSet, errors } from 'jose';
import type { CompactVerifyGetKey, JSONWebKeySet, JWK } from 'jose';
import { LRUCache } from 'lru-cache';
import { parseClaims } from './jwt-claims.ts';
import type { Claims } from './token-facts.ts';

/** RFC 8725 section 3.1: asymmetric ones only. `none` has no key, and HS* would make the public key a secret. */
const algorithms: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

const maxKeys = 100;
/** Tokens whose signature is known to hold; a caller sends the same one many times. */
const maxVerified = 1_000;

export type SignatureVerdict =
  | { readonly kind: 'holds'; readonly claims: Claims }
  /** The token names a key the issuer did not publish, or not yet. */
  | { readonly kind: 'unknown-key' }
  | { readonly kind: 'bad'; readonly reason: string };

/** Replaced as a whole when the issuer's keys change, and what it found out about tokens with it. */
export class KeySet {
  readonly #keys: CompactVerifyGetKey;
  readonly #verified = new LRUCache<string, Claims>({ max: maxVerified });

  private constructor(keys: JSONWebKeySet) {
    this.#keys = createLocalJWKSet(keys);
  }

  /** `undefined` for what is no JWK Set (RFC 7517 section 5) or has no public key. */
  static parse(text: string): KeySet | undefined {
    try {
      const set: unknown = JSON.parse(text);
      if (typeof set !== 'object' || set === null || !('keys' in set) || !Array.isArray(set.keys)) return undefined;
      const keys = set.keys.filter(isPublicKey);
      return keys.length === 0 || keys.length > maxKeys ? undefined : new KeySet({ keys });
    } catch {
      return undefined;
    }
  }

  /** Whether the signature holds, synchronously where that is known already. */
  verify(token: string): SignatureVerdict | Promise<SignatureVerdict> {
    const claims = this.#verified.get(token);
    return claims === undefined ? this.#verify(token) : { kind: 'holds', claims };
  }

  async #verify(token: string): Promise<SignatureVerdict> {
    const payload = await this.#payload(token);
    if ('kind' in payload) return payload;
    const claims = parseClaims(payload.bytes);
    if (claims === undefined) return { kind: 'bad', reason: 'the claims are no JSON object' };
    this.#verified.set(token, claims);
    return { kind: 'holds', claims };
  }

  async #payload(token: string): Promise<{ readonly bytes: Uint8Array } | SignatureVerdict> {
    try {
      return { bytes: (await compactVerify(token, this.#keys, { algorithms: [...algorithms] })).payload };
    } catch (thrown) {
      if (thrown instanceof errors.JWKSMultipleMatchingKeys) return this.#tryEach(token, thrown);
      if (thrown instanceof errors.JWKSNoMatchingKey) return { kind: 'unknown-key' };
      return { kind: 'bad', reason: reasonOf(thrown) };
    }
  }

  /** A token without `kid` may have been signed with any of the keys. */
  async #tryEach(
    token: string,
    candidates: AsyncIterable<Parameters<typeof compactVerify>[1]>,
  ): Promise<{ readonly bytes: Uint8Array } | SignatureVerdict> {
    for await (const key of candidates) {
      try {
        return { bytes: (await compactVerify(token, key as CryptoKey, { algorithms: [...algorithms] })).payload };
      } catch (thrown) {
        if (!(thrown instanceof errors.JWSSignatureVerificationFailed)) return { kind: 'bad', reason: reasonOf(thrown) };
      }
    }
    return { kind: 'bad', reason: 'the signature does not hold' };
  }
}

/** Claims nobody has checked: only to find the rule that checks them. */
export function unverifiedIssuer(token: string): string | undefined {
  const payload = token.split('.', 3)[1];
  const claims = payload === undefined ? undefined : parseClaims(Buffer.from(payload, 'base64url').toString('utf8'));
  return typeof claims?.['iss'] === 'string' ? claims['iss'] : undefined;
}

function isPublicKey(key: unknown): key is JWK {
  return typeof key === 'object' && key !== null && 'kty' in key && ['RSA', 'EC', 'OKP'].includes(String(key.kty));
}

/** jose's messages may quote what it read; these never do. */
function reasonOf(thrown: unknown): string {
  if (thrown instanceof errors.JWSSignatureVerificationFailed) return 'the signature does not hold';
  if (thrown instanceof errors.JOSEAlgNotAllowed) return 'the algorithm is not accepted';
  if (thrown instanceof errors.JOSENotSupported) return 'the algorithm is not known';
  return 'it is no signed JWT';
}
