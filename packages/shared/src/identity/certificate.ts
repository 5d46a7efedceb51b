/** What a certificate says about identity. The chain is verified elsewhere (TLS); this only reads. */
import forge from 'node-forge';
import { parseSpiffeId } from './spiffe.ts';
import type { SpiffeId } from './spiffe.ts';

const { asn1, pem, util } = forge;

/** id-ce-subjectAltName, RFC 5280 section 4.2.1.6. */
const SUBJECT_ALT_NAME = asn1.oidToDer('2.5.29.17').getBytes();
/** TBSCertificate.extensions is tagged [3], RFC 5280 section 4.1. */
const EXTENSIONS_TAG = 3;
/** GeneralName.uniformResourceIdentifier is tagged [6]. */
const URI_TAG = 6;

/**
 * The SPIFFE ids among the URI subject alternative names, in order; the first is the peer's identity (l4-contract section 2.6).
 * Empty for anything that is no certificate, and for one with two such extensions, which RFC 5280 section 4.2 forbids.
 */
export function spiffeIdsOf(der: Uint8Array): readonly SpiffeId[] {
  const certificate = parseDer(Buffer.from(der).toString('latin1'));
  const extensions = childrenOf(childrenOf(certificate)[0]).find((field) => isContext(field, EXTENSIONS_TAG));
  const values = childrenOf(childrenOf(extensions)[0])
    .map(altNamesOf)
    .filter((value) => value !== undefined);
  const [names, ...others] = values;
  if (names === undefined || others.length > 0) return [];
  return childrenOf(parseDer(names))
    .map((name) => (isContext(name, URI_TAG) && typeof name.value === 'string' ? parseSpiffeId(name.value) : undefined))
    .filter((id) => id !== undefined);
}

/** The certificates of a PEM bundle, each as PEM of its own; other blocks are left out. */
export function splitPemBundle(bundle: string): readonly string[] {
  return blocksOf(bundle)
    .filter(({ type }) => type === 'CERTIFICATE')
    .map((block) => pem.encode(block, { maxline: 64 }).replaceAll('\r', ''));
}

/** The content of an extension when it is a subject alternative name: SEQUENCE { OID, critical?, OCTET STRING }. */
function altNamesOf(extension: forge.asn1.Asn1): string | undefined {
  const fields = childrenOf(extension);
  const value = fields.at(-1)?.value;
  return fields[0]?.value === SUBJECT_ALT_NAME && typeof value === 'string' ? value : undefined;
}

function childrenOf(node: forge.asn1.Asn1 | undefined): readonly forge.asn1.Asn1[] {
  return node !== undefined && Array.isArray(node.value) ? node.value : [];
}

function isContext(node: forge.asn1.Asn1, tag: number): boolean {
  // forge types this as its enum of universal tags, which it is not within a context-specific one.
  const type: number = node.type;
  return node.tagClass === asn1.Class.CONTEXT_SPECIFIC && type === tag;
}

function parseDer(bytes: string): forge.asn1.Asn1 | undefined {
  try {
    return asn1.fromDer(util.createBuffer(bytes), true);
  } catch {
    return undefined;
  }
}

function blocksOf(bundle: string): readonly forge.pem.ObjectPEM[] {
  try {
    return pem.decode(bundle);
  } catch {
    // forge throws where there is no block at all.
    return [];
  }
}
