/** A workload's credentials as the data path sees them; the private key never leaves the process. */
import type { SecureContext } from 'node:tls';
import type { SpiffeId } from '../identity/spiffe.ts';
import type { PeerTrust } from './peer-trust.ts';

export type WorkloadCertificate = {
  readonly identity: SpiffeId;
  /** PEM, leaf first. */
  readonly chain: readonly string[];
  /** PEM, every root trusted for peers now. */
  readonly roots: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** What may object to peers that these roots verify, and later to open connections. @default nothing */
  readonly trust?: Pick<PeerTrust, 'check' | 'track'>;
  /** TLS 1.3 contexts with this certificate and these roots, one per role; asked for at each handshake, since roots change. */
  readonly clientContext: SecureContext;
  readonly serverContext: SecureContext;
};

/** Source of certificates; waits for one that is under way, fails with the last error otherwise (section 4). */
export interface CertificateSource {
  get(identity: SpiffeId, signal: AbortSignal): Promise<WorkloadCertificate>;
}
