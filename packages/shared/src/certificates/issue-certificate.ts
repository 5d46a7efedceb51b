/** One certificate from key to context: new key, request, answer, checks. The key stays in the context. */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { spiffeIdsOf, splitPemBundle } from '../identity/certificate.ts';
import type { SpiffeId } from '../identity/spiffe.ts';
import { MeshError } from '../observe/mesh-error.ts';
import { MeshContexts } from './mesh-contexts.ts';
import type { TlsPolicy } from '../tls/tls-policy.ts';
import { createSigningRequest } from '../tls/signing-request.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import type { PeerTrust } from './peer-trust.ts';
import type { WorkloadCertificate } from './workload-certificate.ts';

/** What a certificate is used with. */
export type CertificateUse = { readonly trust?: PeerTrust | undefined; readonly tls?: TlsPolicy | undefined };

/** Rejects when the authority does, or when its answer is not what was asked for. */
export async function issueCertificate(
  identity: SpiffeId,
  validitySeconds: number,
  authority: CertificateAuthority,
  signal: AbortSignal,
  use: CertificateUse = {},
): Promise<WorkloadCertificate> {
  const { csrPem, keyPem } = await createSigningRequest(identity);
  const { chain } = await authority.sign(csrPem, identity, validitySeconds, signal);
  return readAnswer(chain, identity, keyPem, use);
}

/** Checks the answer of the authority and makes it usable. */
export function readAnswer(
  answer: readonly string[],
  identity: SpiffeId,
  keyPem: string,
  use: CertificateUse = {},
): WorkloadCertificate {
  if (answer.length < 2) throw unusable(identity, `${answer.length} certificates instead of a leaf and its roots`);
  const chain = answer.slice(0, -1).flatMap(splitPemBundle);
  const roots = splitPemBundle(answer.at(-1) ?? '');
  const [leaf] = parse(chain, identity);
  if (leaf === undefined || parse(roots, identity).length === 0) throw unusable(identity, 'no leaf or no root certificate');
  const names = spiffeIdsOf(leaf.raw);
  if (names.length !== 1 || names[0] !== identity) throw unusable(identity, `it names ${names.join(', ') || 'no SPIFFE id'}`);
  if (!leaf.checkPrivateKey(createPrivateKey(keyPem))) throw unusable(identity, 'it is for another key');
  const contexts = new MeshContexts({ chain, keyPem, roots }, use);
  return {
    identity,
    chain,
    get roots() {
      return contexts.roots;
    },
    ...(use.trust === undefined ? {} : { trust: use.trust }),
    notBefore: leaf.validFromDate.getTime(),
    notAfter: leaf.validToDate.getTime(),
    // OpenSSL's contexts are for both roles.
    get clientContext() {
      return contexts.current;
    },
    get serverContext() {
      return contexts.current;
    },
  };
}

function parse(pems: readonly string[], identity: SpiffeId): readonly X509Certificate[] {
  try {
    return pems.map((pem) => new X509Certificate(pem));
  } catch (cause) {
    throw unusable(identity, 'a certificate cannot be parsed', cause);
  }
}

function unusable(identity: SpiffeId, why: string, cause?: unknown): MeshError {
  return new MeshError('MESH-CERT-001', {
    message: `the authority’s answer for ${identity} cannot be used: ${why}`,
    hint: 'Look at the certificate authority’s log; it signs something else than it was asked for.',
    cause,
  });
}
