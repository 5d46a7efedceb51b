/** Certificates below the root (control-plane-contract section 5). */
import type { webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '../tls/x509.ts';
import { newSerialNumber } from './root-authority.ts';
import type { RootAuthority } from './root-authority.ts';

export type AltName = { readonly type: 'url' | 'dns' | 'ip'; readonly value: string };

export type LeafRequest = {
  readonly publicKey: webcrypto.CryptoKey;
  /** At least one: the subject is empty, hence the extension critical (RFC 5280 section 4.2.1.6). */
  readonly names: readonly [AltName, ...AltName[]];
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  readonly lifetimeMs: number;
};

export type Leaf = { readonly pem: string; readonly notAfterMs: number };

const serverAuth = '1.3.6.1.5.5.7.3.1';
const clientAuth = '1.3.6.1.5.5.7.3.2';
/** Milliseconds by which a verifier's clock may be behind. */
const backdateMs = 120_000;

/** A leaf for both roles of TLS; it never outlives the root. */
export async function issueLeaf(root: RootAuthority, request: LeafRequest): Promise<Leaf> {
  const { publicKey, nowMs } = request;
  const notAfterMs = Math.min(nowMs + request.lifetimeMs, root.certificate.notAfter.getTime());
  const leaf = await X509CertificateGenerator.create({
    subject: '',
    issuer: root.certificate.subject,
    serialNumber: newSerialNumber(),
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(notAfterMs),
    publicKey,
    signingKey: root.signingKey,
    signingAlgorithm: root.signingAlgorithm,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment, true),
      new ExtendedKeyUsageExtension([serverAuth, clientAuth]),
      new SubjectAlternativeNameExtension([...request.names], true),
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(root.certificate.publicKey),
    ],
  });
  return { pem: leaf.toString('pem'), notAfterMs };
}
