/** The root of trust: one self-signed EC P-256 certificate and its key. */
import { createPrivateKey, createPublicKey, webcrypto } from 'node:crypto';
import { splitPemBundle } from '@clearmesh/shared/identity/certificate';
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@clearmesh/shared/tls/x509';

/** ECDSA with P-256 and SHA-256: the mesh's only signature. */
export const ecP256: { readonly name: 'ECDSA'; readonly namedCurve: 'P-256'; readonly hash: 'SHA-256' } = {
  name: 'ECDSA',
  namedCurve: 'P-256',
  hash: 'SHA-256',
};

export type RootAuthority = {
  readonly certificate: X509Certificate;
  /** Not extractable. */
  readonly signingKey: webcrypto.CryptoKey;
  /** PEM of the certificate. */
  readonly rootPem: string;
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
  const certificate = new X509Certificate(rootPem);
  const key = createPrivateKey(keyPem);
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('the key must be an EC key on P-256');
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  if (Buffer.compare(publicKey, Buffer.from(certificate.publicKey.rawData)) !== 0)
    throw new Error('the key is not the certificate’s');
  if (certificate.getExtension(BasicConstraintsExtension)?.ca !== true)
    throw new Error('the certificate is not one of an authority');
  if (certificate.notAfter.getTime() <= nowMs) throw new Error(`the certificate ended on ${certificate.notAfter.toISOString()}`);
  return { certificate, signingKey: key.toCryptoKey(ecP256, false, ['sign']), rootPem };
}

/** Sixteen random bytes, positive (RFC 5280 section 4.1.2.2). */
export function newSerialNumber(): string {
  return `01${Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString('hex')}`;
}
