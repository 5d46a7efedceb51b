/** The root of trust: a self-signed EC P-256 certificate of our own, or an authority that a bank plugs in. */
import { X509Certificate as NodeCertificate, createPrivateKey, createPublicKey, webcrypto } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { splitPemBundle } from '../identity/certificate.ts';
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '../tls/x509.ts';

export type SigningAlgorithm =
  | { readonly name: 'ECDSA'; readonly namedCurve: 'P-256' | 'P-384'; readonly hash: 'SHA-256' | 'SHA-384' }
  | { readonly name: 'RSASSA-PKCS1-v1_5'; readonly hash: 'SHA-256' };

/** ECDSA with P-256 and SHA-256: the signature of all keys that the mesh makes. */
export const ecP256: { readonly name: 'ECDSA'; readonly namedCurve: 'P-256'; readonly hash: 'SHA-256' } = {
  name: 'ECDSA',
  namedCurve: 'P-256',
  hash: 'SHA-256',
};

export type RootAuthority = {
  /** Signs: the root itself, or a certificate below it. */
  readonly certificate: X509Certificate;
  /** Not extractable. */
  readonly signingKey: webcrypto.CryptoKey;
  readonly signingAlgorithm: SigningAlgorithm;
  /** PEM of what stands between a leaf and the root, the signer first; none where the root itself signs. */
  readonly intermediates: readonly string[];
  /** PEM of the root; of several while one replaces another. */
  readonly rootPem: string;
};

/** PEM, as in the keys of Secret `cacerts` (control-plane-contract section 5). */
export type PluggedAuthority = {
  readonly caCert: string;
  readonly caKey: string;
  /** @default none */
  readonly certChain?: string;
  readonly rootCert: string;
};

/** A new root, and its certificate and key as PEM for keeping. */
export async function createRoot(options: {
  readonly trustDomain: string;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** @default ten years */
  readonly lifetimeMs?: number;
}): Promise<string> {
  const keys = await webcrypto.subtle.generateKey(ecP256, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `O=${options.trustDomain}, CN=Clearmesh root`,
    serialNumber: newSerialNumber(),
    // Clocks of proxies that start first may be behind.
    notBefore: new Date(options.nowMs - 120_000),
    notAfter: new Date(options.nowMs + (options.lifetimeMs ?? 3650 * 86_400_000)),
    keys,
    signingAlgorithm: ecP256,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return `${certificate.toString('pem')}\n${key}\n`;
}

/** The root kept in `pem`; throws an Error that says what is wrong with it. */
export function readRoot(pem: string, nowMs: number): RootAuthority {
  const [rootPem, ...others] = splitPemBundle(pem);
  const keyPem = /-----BEGIN PRIVATE KEY-----[A-Za-z0-9+/=\s]+-----END PRIVATE KEY-----/.exec(pem)?.[0];
  if (rootPem === undefined || others.length > 0) throw new Error('must hold exactly one certificate');
  if (keyPem === undefined) throw new Error('must hold a private key (PKCS #8, PEM)');
  const key = createPrivateKey(keyPem);
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('the key must be an EC key on P-256');
  return { ...signer(rootPem, key, nowMs), intermediates: [], rootPem };
}

/** A bank's own authority; throws an Error that says what is wrong with it. */
export function readPlugged({ caCert, caKey, certChain = '', rootCert }: PluggedAuthority, nowMs: number): RootAuthority {
  const roots = splitPemBundle(rootCert);
  const [signing, ...others] = splitPemBundle(caCert);
  if (roots.length === 0) throw new Error('root-cert.pem holds no certificate');
  if (signing === undefined || others.length > 0) throw new Error('ca-cert.pem must hold exactly one certificate');
  const chain = new Set([signing, ...splitPemBundle(certChain)]);
  const intermediates = [...chain].filter((pem) => !roots.includes(pem));
  requireChain(intermediates.length === 0 ? [signing] : intermediates, roots);
  return { ...signer(signing, createPrivateKey(caKey), nowMs), intermediates, rootPem: roots.join('') };
}

type Signer = Pick<RootAuthority, 'certificate' | 'signingKey' | 'signingAlgorithm'>;

function signer(pem: string, key: KeyObject, nowMs: number): Signer {
  const certificate = new X509Certificate(pem);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  if (Buffer.compare(publicKey, Buffer.from(certificate.publicKey.rawData)) !== 0)
    throw new Error('the key is not the certificate’s');
  if (certificate.getExtension(BasicConstraintsExtension)?.ca !== true)
    throw new Error('the certificate is not one of an authority');
  if (certificate.notAfter.getTime() <= nowMs) throw new Error(`the certificate ended on ${certificate.notAfter.toISOString()}`);
  const signingAlgorithm = algorithmOf(key);
  return { certificate, signingKey: key.toCryptoKey(signingAlgorithm, false, ['sign']), signingAlgorithm };
}

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): SigningAlgorithm {
  const { namedCurve, modulusLength = 0 } = asymmetricKeyDetails ?? {};
  if (namedCurve === 'prime256v1') return ecP256;
  if (namedCurve === 'secp384r1') return { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
  if (asymmetricKeyType === 'rsa' && modulusLength >= 2048) return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  throw new Error('the key must be an EC key on P-256 or P-384, or an RSA key of at least 2048 bits');
}

/** Each certificate by the next, and the last by a root: what proxies verify, found out before the first of them does. */
function requireChain(chain: readonly string[], roots: readonly string[]): void {
  const links = chain.map((pem) => new NodeCertificate(pem));
  for (const [index, link] of links.entries()) {
    const next = links[index + 1];
    const issuers = next === undefined ? roots.map((pem) => new NodeCertificate(pem)) : [next];
    if (!issuers.some((issuer) => link.checkIssued(issuer) && link.verify(issuer.publicKey)))
      throw new Error(
        `certificate ${index + 1} of the chain (${link.subject.replaceAll('\n', ', ')}) is not issued by the next one`,
      );
  }
}

/** Sixteen random bytes, positive (RFC 5280 section 4.1.2.2). */
export function newSerialNumber(): string {
  return `01${Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString('hex')}`;
}
