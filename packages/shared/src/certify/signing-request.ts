/** The one thing a signing request is asked for: a public key whose private half signed it. */
import type { webcrypto } from 'node:crypto';
import { Pkcs10CertificateRequest } from '../tls/x509.ts';
import { ecP256 } from './root-authority.ts';

export type SigningRequest =
  | { readonly kind: 'key'; readonly publicKey: webcrypto.CryptoKey }
  /** For the log and the caller. */
  | { readonly kind: 'refused'; readonly reason: string };

/** Characters; a request for a P-256 key has about 500. */
const maxLength = 16 * 1024;
const pemBlock = /^\s*-----BEGIN (NEW )?CERTIFICATE REQUEST-----[A-Za-z0-9+/=\s]+-----END (NEW )?CERTIFICATE REQUEST-----\s*$/;

/** Never throws. Names and extensions of the request are not read: the identity comes from the token. */
export async function readSigningRequest(pem: string): Promise<SigningRequest> {
  if (pem.length > maxLength || !pemBlock.test(pem))
    return { kind: 'refused', reason: 'csr must be one PEM block of type CERTIFICATE REQUEST' };
  try {
    const request = new Pkcs10CertificateRequest(pem);
    const { algorithm } = request.publicKey;
    if (algorithm.name !== 'ECDSA' || !('namedCurve' in algorithm) || algorithm.namedCurve !== 'P-256') {
      return { kind: 'refused', reason: 'csr must be for an EC key on P-256' };
    }
    if (!(await request.verify())) return { kind: 'refused', reason: 'csr is not signed by its own key' };
    return { kind: 'key', publicKey: await request.publicKey.export(ecP256, ['verify']) };
  } catch {
    // The library's messages speak of ASN.1; they would help nobody.
    return { kind: 'refused', reason: 'csr cannot be read' };
  }
}
