/**
 * `io.jwt.*` for rules run as WASM, whose runtime has none of them. As in OPA: what is no token, and what cannot be
 * checked, is undefined; a token that does not hold is `false`. Synchronous, since the runtime can wait for nothing.
 */
import { constants, createHmac, createPublicKey, timingSafeEqual, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { isRecord } from './is-record.ts';

type Json = Readonly<Record<string, unknown>>;
type Decoded = { readonly header: Json; readonly payload: Json; readonly signature: Buffer; readonly signed: Buffer };

/** `[header, payload, signature in hexadecimal]`. */
export function jwtDecode(token: unknown): unknown {
  const decoded = decode(token);
  return decoded === undefined ? undefined : [decoded.header, decoded.payload, decoded.signature.toString('hex')];
}

/** `io.jwt.verify_<algorithm>(token, key)`: a secret for HS*, else a PEM certificate, a PEM key or a JWK Set. */
export function jwtVerify(algorithm: string): (token: unknown, key: unknown) => boolean | undefined {
  return (token, key) => {
    const decoded = decode(token);
    if (decoded === undefined || typeof key !== 'string') return undefined;
    return signatureHolds(algorithm, decoded, key, undefined);
  };
}

const notValid: unknown = [false, {}, {}];

/** `[valid, header, payload]` for a token checked against constraints: cert or secret, alg, iss, aud, time. */
export function jwtDecodeVerify(token: unknown, constraints: unknown, nowNs: number): unknown {
  const decoded = decode(token);
  if (decoded === undefined || !isRecord(constraints)) return undefined;
  const { cert, secret, alg, iss, aud, time } = constraints;
  const { header, payload } = decoded;
  const key = typeof secret === 'string' ? secret : cert;
  if (typeof key !== 'string' || (secret !== undefined && cert !== undefined)) return undefined;
  const algorithm = header['alg'];
  if (typeof algorithm !== 'string' || (alg !== undefined && alg !== algorithm)) return notValid;
  // A public key must never serve as a secret.
  if (algorithm.startsWith('HS') !== (secret !== undefined)) return notValid;
  const kid = typeof header['kid'] === 'string' ? header['kid'] : undefined;
  if (signatureHolds(algorithm, decoded, key, kid) !== true) return notValid;
  if (iss !== undefined && payload['iss'] !== iss) return notValid;
  if (!audienceFits(payload['aud'], aud) || !timeFits(payload, typeof time === 'number' ? time : nowNs)) return notValid;
  return [true, header, payload];
}

function audienceFits(claimed: unknown, wanted: unknown): boolean {
  if (wanted === undefined) return claimed === undefined;
  return Array.isArray(claimed) ? claimed.includes(wanted) : claimed === wanted;
}

function timeFits({ exp, nbf }: Json, nowNs: number): boolean {
  const seconds = nowNs / 1e9;
  if (exp !== undefined && (typeof exp !== 'number' || seconds >= exp)) return false;
  return nbf === undefined || (typeof nbf === 'number' && seconds >= nbf);
}

function decode(token: unknown): Decoded | undefined {
  if (typeof token !== 'string') return undefined;
  const [header, payload, signature, ...rest] = token.split('.');
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) return undefined;
  const head = parse(header);
  const claims = parse(payload);
  if (head === undefined || claims === undefined) return undefined;
  return {
    header: head,
    payload: claims,
    signature: Buffer.from(signature, 'base64url'),
    signed: Buffer.from(`${header}.${payload}`, 'latin1'),
  };
}

function parse(part: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function signatureHolds(
  algorithm: string,
  { signature, signed }: Decoded,
  key: string,
  kid: string | undefined,
): boolean | undefined {
  const [, family = '', bits = ''] = /^(HS|RS|PS|ES)(256|384|512)$/.exec(algorithm) ?? [];
  if (family === '' && algorithm !== 'EdDSA') return undefined;
  if (family === 'HS') {
    const expected = createHmac(`sha${bits}`, key).update(signed).digest();
    return expected.length === signature.length && timingSafeEqual(expected, signature);
  }
  const keys = publicKeys(key, kid);
  if (keys.length === 0) return undefined;
  return keys.some((one) => holdsWith(one, family, bits, signed, signature));
}

function holdsWith(key: KeyObject, family: string, bits: string, signed: Buffer, signature: Buffer): boolean {
  const hash = bits === '' ? null : `sha${bits}`;
  try {
    if (family === 'PS') {
      const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
      return verify(hash, signed, { key, ...padding }, signature);
    }
    if (family === 'ES') return verify(hash, signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
    return verify(hash, signed, key, signature);
  } catch {
    return false;
  }
}

function publicKeys(text: string, kid: string | undefined): readonly KeyObject[] {
  try {
    if (text.trimStart().startsWith('-----BEGIN')) return [createPublicKey(text)];
    const set: unknown = JSON.parse(text);
    const keys = isRecord(set) && Array.isArray(set['keys']) ? set['keys'].filter(isRecord) : [];
    const named = kid === undefined ? keys : keys.filter((key) => key['kid'] === undefined || key['kid'] === kid);
    return named.map((key) => createPublicKey({ key, format: 'jwk' }));
  } catch {
    return [];
  }
}
