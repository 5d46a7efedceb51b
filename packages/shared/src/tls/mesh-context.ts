import { createSecureContext } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { meshTlsParameters } from './parameters.ts';
import type { TlsPolicy } from './tls-policy.ts';

/** A certificate with its key, and whom it trusts; all PEM. */
export type MeshCredentials = {
  /** Leaf first, then intermediates. */
  readonly chain: readonly string[];
  readonly keyPem: string;
  /** Every root trusted for peers. */
  readonly roots: readonly string[];
};

/** A context for both roles; throws when key, chain or roots cannot be read or do not belong together. */
export function createMeshContext(credentials: MeshCredentials, policy?: TlsPolicy): SecureContext {
  // Without roots of its own OpenSSL would fall back to the public web's.
  if (credentials.roots.length === 0) throw new TypeError('no root certificate: peers could not be verified');
  return createSecureContext({
    ...meshTlsParameters(policy),
    cert: credentials.chain.join('\n'),
    key: credentials.keyPem,
    ca: [...credentials.roots],
  });
}
