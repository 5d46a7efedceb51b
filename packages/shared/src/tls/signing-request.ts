/**
 * Certificate signing requests as l4-contract section 4 wants them: a fresh EC P-256 key, ECDSA with SHA-256, an empty subject
 * and the identity as the one name, critical. The structure is written with node-forge's ASN.1 (RFC 2986, RFC 5280), all
 * cryptography is Node's. `@peculiar/x509` could do it too, but costs a resident 33 MiB that a node proxy has no other use for.
 */
import { generateKeyPair, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import forge from 'node-forge';
import type { SpiffeId } from '../identity/spiffe.ts';

const { asn1, pem } = forge;
const { Class, Type } = asn1;
const { CONTEXT_SPECIFIC, UNIVERSAL } = Class;

/** RFC 2985 section 5.4.2. */
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const SUBJECT_ALT_NAME = '2.5.29.17';
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
/** GeneralName.uniformResourceIdentifier is [6], RFC 5280 section 4.2.1.6; forge names tag numbers after universal types. */
const URI_TAG = Type.OID;
/** CertificationRequestInfo.attributes is [0], RFC 2986 section 4.1. */
const ATTRIBUTES_TAG = Type.NONE;

const generate = promisify(generateKeyPair);

/** A request and the private key it is made for; the key is meant to stay in memory. */
export type SigningRequest = { readonly csrPem: string; readonly keyPem: string };

/** Makes a new key each time; the work runs off the event loop. */
export async function createSigningRequest(identity: SpiffeId): Promise<SigningRequest> {
  const { publicKey, privateKey } = await generate('ec', { namedCurve: 'P-256' });
  const info = requestInfo(identity, publicKey);
  const signature = await ecdsa(asn1.toDer(info).getBytes(), privateKey);
  const request = sequence(info, sequence(oid(ECDSA_WITH_SHA256)), bitString(signature));
  const body = asn1.toDer(request).getBytes();
  return {
    csrPem: pem.encode({ type: 'CERTIFICATE REQUEST', body }, { maxline: 64 }).replaceAll('\r', ''),
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}

/** CertificationRequestInfo: version 0, an empty name, the key, one attribute. */
function requestInfo(identity: SpiffeId, publicKey: KeyObject): forge.asn1.Asn1 {
  const spki = asn1.fromDer(publicKey.export({ type: 'spki', format: 'der' }).toString('latin1'));
  const names = sequence(asn1.create(CONTEXT_SPECIFIC, URI_TAG, false, identity));
  const critical = asn1.create(UNIVERSAL, Type.BOOLEAN, false, '\xff');
  const extension = sequence(oid(SUBJECT_ALT_NAME), critical, octets(asn1.toDer(names).getBytes()));
  const attribute = sequence(oid(EXTENSION_REQUEST), asn1.create(UNIVERSAL, Type.SET, true, [sequence(extension)]));
  const version = asn1.create(UNIVERSAL, Type.INTEGER, false, '\x00');
  return sequence(version, sequence(), spki, asn1.create(CONTEXT_SPECIFIC, ATTRIBUTES_TAG, true, [attribute]));
}

function ecdsa(bytes: string, key: KeyObject): Promise<string> {
  return new Promise((resolve, reject) => {
    sign('sha256', Buffer.from(bytes, 'latin1'), { key, dsaEncoding: 'der' }, (error, signature) => {
      if (error === null) resolve(signature.toString('latin1'));
      else reject(error);
    });
  });
}

function sequence(...values: forge.asn1.Asn1[]): forge.asn1.Asn1 {
  return asn1.create(UNIVERSAL, Type.SEQUENCE, true, values);
}

function oid(text: string): forge.asn1.Asn1 {
  return asn1.create(UNIVERSAL, Type.OID, false, asn1.oidToDer(text).getBytes());
}

function octets(bytes: string): forge.asn1.Asn1 {
  return asn1.create(UNIVERSAL, Type.OCTETSTRING, false, bytes);
}

/** The first byte counts unused bits: none. */
function bitString(bytes: string): forge.asn1.Asn1 {
  return asn1.create(UNIVERSAL, Type.BITSTRING, false, `\x00${bytes}`);
}
