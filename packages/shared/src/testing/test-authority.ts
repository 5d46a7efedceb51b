/** A certificate authority for tests: good certificates, and every kind of wrong one. */
import { Buffer } from 'node:buffer';
import type { webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
  X509CrlGenerator,
} from '../tls/x509.ts';

export type Usage = 'serverAuth' | 'clientAuth';

/** What a leaf says; all of it may be wrong on purpose. */
export type LeafSpec = {
  /** The subject as RFC 4514 writes it, such as `CN=admin,O=system:masters`. @default empty */
  readonly subject?: string;
  /** URI names, in order. @default none */
  readonly uris?: readonly string[];
  /** DNS names, after the URIs. @default none */
  readonly dnsNames?: readonly string[];
  /** IP addresses, after the DNS names. @default none */
  readonly ips?: readonly string[];
  /** @default true, as an empty subject asks */
  readonly criticalSan?: boolean;
  /** @default both; `[]` leaves the extension out */
  readonly usages?: readonly Usage[];
  /** Milliseconds since the epoch. @default one minute ago */
  readonly notBefore?: number;
  /** Milliseconds since the epoch. @default one hour after notBefore */
  readonly notAfter?: number;
};

export type IssuedCertificate = {
  /** The leaf and, of an intermediate, the certificates up to the root, leaf first; the root is left out. */
  readonly certPem: string;
  readonly keyPem: string;
};

type Issuer = {
  readonly certificate: X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly intermediates: readonly string[];
};

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const usageOids: Readonly<Record<Usage, string>> = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' };
const hourMs = 3_600_000;

export class TestAuthority {
  readonly #issuer: Issuer;
  /** The root that verifies what this authority issues. */
  readonly rootPem: string;

  private constructor(issuer: Issuer, rootPem: string) {
    this.#issuer = issuer;
    this.rootPem = rootPem;
  }

  /** A fresh self-signed root, valid from a day ago for ten years. */
  static async create(options: { readonly name?: string } = {}): Promise<TestAuthority> {
    const keys = await generateKeys();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name: `CN=${options.name ?? 'test root'}`,
      serialNumber: serial(),
      notBefore: new Date(Date.now() - 24 * hourMs),
      notAfter: new Date(Date.now() + 10 * 365 * 24 * hourMs),
      keys,
      signingAlgorithm: keyAlgorithm,
      extensions: authorityExtensions(),
    });
    return new TestAuthority({ certificate, keys, intermediates: [] }, certificate.toString('pem'));
  }

  /** The authority of a PEM bundle with one certificate and its PKCS #8 key, such as a control plane's ca.pem. */
  static async load(bundlePem: string): Promise<TestAuthority> {
    const blocks = PemConverter.decodeWithHeaders(bundlePem);
    const certificate = blocks.find((block) => block.type === 'CERTIFICATE');
    const key = blocks.find((block) => block.type === 'PRIVATE KEY');
    if (certificate === undefined || key === undefined) throw new Error('the bundle needs a CERTIFICATE and a PRIVATE KEY');
    const root = new X509Certificate(certificate.rawData);
    const privateKey = await crypto.subtle.importKey('pkcs8', key.rawData, keyAlgorithm, true, ['sign']);
    const publicKey = await root.publicKey.export(keyAlgorithm, ['verify']);
    return new TestAuthority({ certificate: root, keys: { privateKey, publicKey }, intermediates: [] }, root.toString('pem'));
  }

  /** An authority below this one; its root is this one's. */
  async intermediate(options: { readonly name?: string } = {}): Promise<TestAuthority> {
    const keys = await generateKeys();
    const certificate = await X509CertificateGenerator.create({
      subject: `CN=${options.name ?? 'test intermediate'}`,
      issuer: this.#issuer.certificate.subject,
      serialNumber: serial(),
      notBefore: new Date(Date.now() - 24 * hourMs),
      notAfter: new Date(Date.now() + 365 * 24 * hourMs),
      publicKey: keys.publicKey,
      signingKey: this.#issuer.keys.privateKey,
      signingAlgorithm: keyAlgorithm,
      extensions: authorityExtensions(),
    });
    const intermediates = [certificate.toString('pem'), ...this.#issuer.intermediates];
    return new TestAuthority({ certificate, keys, intermediates }, this.rootPem);
  }

  /** A leaf with a new key. */
  async issue(spec: LeafSpec = {}): Promise<IssuedCertificate> {
    const keys = await generateKeys();
    const chain = await this.#certify(keys.publicKey, spec);
    return { certPem: chain.join('\n'), keyPem: await privateKeyPem(keys.privateKey) };
  }

  /** Answers a signing request as a CA does, taking names from `spec` only: leaf, intermediates, root. */
  async sign(csrPem: string, spec: LeafSpec): Promise<readonly string[]> {
    const request = new Pkcs10CertificateRequest(csrPem);
    if (!(await request.verify())) throw new Error('the signing request is not signed by its own key');
    const publicKey = await request.publicKey.export(keyAlgorithm, ['verify']);
    return [...(await this.#certify(publicKey, spec)), this.rootPem];
  }

  /** A revocation list of this authority, PEM. @param options.revoked PEM of certificates, the first of each counts */
  async revocationList(options: {
    readonly revoked: readonly string[];
    /** Milliseconds since the epoch. @default in a day */
    readonly nextUpdate?: number;
  }): Promise<string> {
    const crl = await X509CrlGenerator.create({
      issuer: this.#issuer.certificate.subject,
      thisUpdate: new Date(Date.now() - 60_000),
      nextUpdate: new Date(options.nextUpdate ?? Date.now() + 24 * hourMs),
      entries: options.revoked.map((pem) => ({
        serialNumber: new X509Certificate(pem.slice(0, pem.indexOf('-----END') + 26)).serialNumber,
      })),
      signingAlgorithm: keyAlgorithm,
      signingKey: this.#issuer.keys.privateKey,
    });
    // RFC 7468 section 6.
    return `${PemConverter.encode(crl.rawData, 'X509 CRL')}\n`;
  }

  async #certify(publicKey: webcrypto.CryptoKey, spec: LeafSpec): Promise<readonly string[]> {
    const notBefore = spec.notBefore ?? Date.now() - 60_000;
    const leaf = await X509CertificateGenerator.create({
      subject: spec.subject ?? '',
      issuer: this.#issuer.certificate.subject,
      serialNumber: serial(),
      notBefore: new Date(notBefore),
      notAfter: new Date(spec.notAfter ?? notBefore + hourMs),
      publicKey,
      signingKey: this.#issuer.keys.privateKey,
      signingAlgorithm: keyAlgorithm,
      extensions: leafExtensions(spec),
    });
    return [leaf.toString('pem'), ...this.#issuer.intermediates];
  }
}

function leafExtensions(spec: LeafSpec): (KeyUsagesExtension | ExtendedKeyUsageExtension | SubjectAlternativeNameExtension)[] {
  const usages = spec.usages ?? ['serverAuth', 'clientAuth'];
  const names = [
    ...(spec.uris ?? []).map((value) => ({ type: 'url' as const, value })),
    ...(spec.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(spec.ips ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
  return [
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    ...(usages.length === 0 ? [] : [new ExtendedKeyUsageExtension(usages.map((usage) => usageOids[usage]))]),
    ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names, spec.criticalSan ?? true)]),
  ];
}

function authorityExtensions(): (BasicConstraintsExtension | KeyUsagesExtension)[] {
  return [
    new BasicConstraintsExtension(true, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ];
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

/** Sixteen random bytes, positive, as RFC 5280 section 4.1.2.2 asks. */
function serial(): string {
  return `01${Buffer.from(crypto.getRandomValues(new Uint8Array(15))).toString('hex')}`;
}
