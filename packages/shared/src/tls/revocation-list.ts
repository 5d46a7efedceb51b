/**
 * Certificate revocation lists (RFC 5280 section 5) as a mesh needs them: which serial numbers of which issuer are revoked.
 *
 * OpenSSL could check them, but refuses every peer whose issuer has no list, or an expired one. Here a status that is not
 * known is accepted (l4-contract section 2.6), and an expired list still revokes what it names.
 */
import { X509Certificate, createHash, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import forge from 'node-forge';

const { asn1, pem, util } = forge;
type Node = forge.asn1.Asn1;

/** Its types lack the options: without them a signature, which is DER itself, would be taken apart. */
const fromDer = asn1.fromDer as unknown as (
  bytes: forge.util.ByteStringBuffer,
  options: { readonly strict: boolean; readonly decodeBitStrings: boolean },
) => Node;

export type RevocationList = {
  /** DER of the issuer's name, as bytes of a string. */
  readonly issuer: string;
  /** Content of each revoked INTEGER, as bytes of a string. */
  readonly serials: ReadonlySet<string>;
  /** Milliseconds since the epoch; absent where the list names none. */
  readonly nextUpdate?: number;
  /** Whether the list was signed by this key. */
  readonly signedBy: (key: KeyObject) => boolean;
};

/** Digest by signature algorithm; `null` where the algorithm has its own. */
const digests: Readonly<Record<string, string | null>> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.3.101.112': null,
};

/** More lists than a mesh has authorities. */
const maxLists = 64;

/** Certificates of one chain; what verified is never longer. */
const maxDepth = 16;

/** The lists of a file, several in PEM or one in DER; none in an empty file. Throws an Error that says what is wrong. */
export function readRevocationLists(content: Uint8Array): readonly RevocationList[] {
  const text = Buffer.from(content).toString('latin1');
  if (text.trim() === '') return [];
  const bodies = text.includes('-----BEGIN')
    ? pem
        .decode(text)
        .filter(({ type }) => type === 'X509 CRL')
        .map(({ body }) => body)
    : [text];
  if (bodies.length === 0) throw new Error('it holds no block X509 CRL');
  if (bodies.length > maxLists) throw new Error(`it holds ${bodies.length} lists, more than ${maxLists}`);
  return bodies.map(readList);
}

/**
 * Which certificate of a verified chain is revoked, in words; `undefined` for none.
 * @param roots PEM, where an issuer is looked for that the peer did not send
 */
export function revokedIn(leaf: X509Certificate, lists: readonly RevocationList[], roots: readonly string[]): string | undefined {
  if (lists.length === 0) return undefined;
  let at: X509Certificate | undefined = leaf;
  for (let depth = 0; at !== undefined && depth < maxDepth; depth += 1) {
    if (isRevoked(at, lists, roots)) return `${depth === 0 ? 'the certificate' : 'an authority above it'} ${at.serialNumber}`;
    const above: X509Certificate | undefined = at.issuerCertificate;
    at = above?.fingerprint256 === at.fingerprint256 ? undefined : above;
  }
  return undefined;
}

function isRevoked(certificate: X509Certificate, lists: readonly RevocationList[], roots: readonly string[]): boolean {
  const { issuer, serial } = issuerAndSerial(certificate.raw);
  const naming = lists.filter((list) => list.issuer === issuer && list.serials.has(serial));
  if (naming.length === 0) return false;
  const above = [certificate.issuerCertificate, ...roots.map((root) => new X509Certificate(root))]
    .filter((candidate) => candidate !== undefined)
    .filter((candidate) => certificate.checkIssued(candidate) && certificate.verify(candidate.publicKey));
  // While one root replaces another both may have one name; a list counts for the one that signed it.
  return above.length === 0 || above.some(({ publicKey }) => naming.some((list) => list.signedBy(publicKey)));
}

/** TBSCertificate: [0] version, serialNumber, signature, issuer, … */
function issuerAndSerial(der: Uint8Array): { readonly issuer: string; readonly serial: string } {
  const fields = children(children(parse(Buffer.from(der).toString('latin1')))[0]);
  const at = fields[0]?.tagClass === asn1.Class.CONTEXT_SPECIFIC ? 1 : 0;
  return { serial: bytesOf(fields[at]), issuer: derOf(fields[at + 2]) };
}

/** CertificateList: tbsCertList, signatureAlgorithm, signatureValue. */
function readList(der: string): RevocationList {
  const [tbs, algorithm, signature] = children(parse(der));
  const fields = children(tbs);
  const versioned = isUniversal(fields[0], asn1.Type.INTEGER) ? 1 : 0;
  const issuer = fields[versioned + 1];
  const rest = fields.slice(versioned + 2);
  const times = rest.filter(isTime);
  if (tbs === undefined || issuer === undefined || times.length === 0) throw new Error('a list lacks issuer or date');
  refuseSpecial(rest.filter(({ tagClass }) => tagClass === asn1.Class.CONTEXT_SPECIFIC));
  const entries = children(rest.find((field) => isUniversal(field, asn1.Type.SEQUENCE))).map(children);
  refuseSpecial(entries.flatMap((entry) => entry.slice(2)));
  const next = times[1];
  return {
    issuer: derOf(issuer),
    serials: new Set(entries.map(([serial]) => bytesOf(serial))),
    ...(next === undefined ? {} : { nextUpdate: timeOf(next) }),
    signedBy: signatureCheck(signedBytes(der), algorithm, bytesOf(signature)),
  };
}

function signatureCheck(signed: Buffer, algorithm: Node | undefined, signature: string): RevocationList['signedBy'] {
  const oid = asn1.derToOid(util.createBuffer(bytesOf(children(algorithm)[0])));
  const digest = digests[oid];
  if (digest === undefined) throw new Error(`a list is signed by an algorithm that is not known here: ${oid}`);
  // The first byte of a BIT STRING counts its unused bits.
  const value = Buffer.from(signature.slice(1), 'latin1');
  const known = new Map<string, boolean>();
  return (key) => {
    const name = createHash('sha256')
      .update(key.export({ type: 'spki', format: 'der' }))
      .digest('hex');
    const good = known.get(name) ?? verify(digest, signed, key, value);
    // Only keys that issued a verified certificate come here.
    known.set(name, good);
    return good;
  };
}

/** A list that covers less than it seems to, or entries of another issuer, say so by a critical extension. */
function refuseSpecial(wrappers: readonly Node[]): void {
  for (const extension of wrappers
    .flatMap((wrapper) => (wrapper.tagClass === asn1.Class.UNIVERSAL ? [wrapper] : children(wrapper)))
    .flatMap(children)) {
    const [oid, critical] = children(extension);
    if (critical === undefined || !isUniversal(critical, asn1.Type.BOOLEAN)) continue;
    const name = asn1.derToOid(util.createBuffer(bytesOf(oid)));
    throw new Error(`a list has a critical extension that is not known here: ${name}; delta and indirect lists are not read`);
  }
}

/** The bytes of the first element within the outer SEQUENCE, as they were signed. */
function signedBytes(der: string): Buffer {
  const bytes = Buffer.from(der, 'latin1');
  const start = headerLength(bytes, 0);
  return bytes.subarray(start, start + headerLength(bytes, start) + contentLength(bytes, start));
}

/** X.690 section 8.1.3: short form, or a count of length bytes. */
function headerLength(bytes: Buffer, at: number): number {
  const first = bytes[at + 1] ?? 0;
  return first < 0x80 ? 2 : 2 + (first & 0x7f);
}

function contentLength(bytes: Buffer, at: number): number {
  const first = bytes[at + 1] ?? 0;
  return first < 0x80 ? first : bytes.readUIntBE(at + 2, first & 0x7f);
}

function parse(der: string): Node {
  return fromDer(util.createBuffer(der), { strict: true, decodeBitStrings: false });
}

function children(node: Node | undefined): readonly Node[] {
  return node !== undefined && Array.isArray(node.value) ? node.value : [];
}

function bytesOf(node: Node | undefined): string {
  if (typeof node?.value !== 'string') throw new Error('a field is missing or no primitive value');
  return node.value;
}

function derOf(node: Node | undefined): string {
  if (node === undefined) throw new Error('a field is missing');
  return asn1.toDer(node).getBytes();
}

function isUniversal(node: Node | undefined, type: forge.asn1.Type): boolean {
  return node?.tagClass === asn1.Class.UNIVERSAL && node.type === type;
}

function isTime(node: Node): boolean {
  return isUniversal(node, asn1.Type.UTCTIME) || isUniversal(node, asn1.Type.GENERALIZEDTIME);
}

function timeOf(node: Node): number {
  const text = bytesOf(node);
  return (node.type === asn1.Type.UTCTIME ? asn1.utcTimeToDate(text) : asn1.generalizedTimeToDate(text)).getTime();
}
