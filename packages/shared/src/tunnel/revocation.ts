/** Revocation at both ends of a tunnel: an objection to the handshake, and later the end of the session. */
import type { TLSSocket } from 'node:tls';
import type { Reporter } from '../certificates/peer-trust.ts';
import type { WorkloadCertificate } from '../certificates/workload-certificate.ts';
import type { PeerObjection } from '../tls/handshake.ts';
import type { ClientSession, ServerSession } from './engine.ts';
import { PeerRevoked } from './peer-revoked.ts';

export function objectionOf({ trust, roots }: WorkloadCertificate, reporter: Reporter): PeerObjection {
  return (certificate) => trust?.check({ certificate, roots, reporter });
}

/** Ends the session as soon as a list revokes its peer; what was revoked since the handshake counts too. */
export function cutWhenRevoked(
  session: Pick<ClientSession | ServerSession, 'closed' | 'destroy'>,
  socket: TLSSocket,
  { trust, roots }: WorkloadCertificate,
  reporter: Reporter,
): void {
  const certificate = socket.getPeerX509Certificate();
  if (trust === undefined || certificate === undefined) return;
  const untrack = trust.track({ certificate, roots, reporter }, () => session.destroy(new PeerRevoked()));
  void session.closed.then(untrack);
}
