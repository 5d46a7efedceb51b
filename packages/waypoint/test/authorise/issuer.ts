/** An issuer of tokens for tests: keys of several kinds, and whatever claims are asked for. */
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import type { CryptoKey, JWK } from 'jose';

export type Issuer = {
  /** JWK Set as JSON text. */
  readonly jwks: string;
  readonly sign: (claims: Readonly<Record<string, unknown>>, kid?: string) => Promise<string>;
};

const kinds = { rsa: 'RS256', pss: 'PS256', ec: 'ES256', ed: 'EdDSA' } as const;
type Kind = keyof typeof kinds;

/** @param suffix of the keys' names; `withoutKid` publishes them without any */
export async function createIssuer(
  issuer: string,
  { suffix = '1', withoutKid = false }: { readonly suffix?: string; readonly withoutKid?: boolean } = {},
): Promise<Issuer> {
  const pairs = new Map<string, { readonly alg: string; readonly privateKey: CryptoKey }>();
  const keys: JWK[] = [];
  for (const kind of Object.keys(kinds) as Kind[]) {
    const alg = kinds[kind];
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const kid = `${kind}-${suffix}`;
    pairs.set(kid, { alg, privateKey });
    keys.push({ ...(await exportJWK(publicKey)), alg, ...(withoutKid ? {} : { kid }) });
  }
  return {
    jwks: JSON.stringify({ keys }),
    sign: (claims, kid = `ec-${suffix}`) => {
      const pair = pairs.get(kid);
      if (pair === undefined) throw new Error(`no key ${kid}`);
      const header = { alg: pair.alg, ...(withoutKid ? {} : { kid }) };
      return new SignJWT({ iss: issuer, ...claims }).setProtectedHeader(header).sign(pair.privateKey);
    },
  };
}
