/**
 * Why a CONNECT got no answer. In TLS 1.3 a server's refusal of our certificate arrives only after our own end of the
 * handshake, as the end of a connection already in use. That end follows the stream's by a turn of the loop or two; a
 * tunnel that drains may live on for hours.
 */
import type { Clock } from '../lifecycle/clock.ts';
import { MeshError } from '../observe/mesh-error.ts';
import { PeerRevoked } from './peer-revoked.ts';
import type { DialOutcome } from './dialer.ts';
import type { ClientSession, ConnectResponse, SessionEnd } from './engine.ts';

export type Failure = DialOutcome & { readonly kind: 'failed' };
export type Unanswered = ConnectResponse & { readonly kind: 'failed' };

/** @param peer how the message names who did not answer */
export async function explainUnanswered(
  session: Pick<ClientSession, 'usable' | 'closed'>,
  peer: string,
  { error, unprocessed }: Unanswered,
  { clock }: { readonly clock: Clock },
): Promise<Failure> {
  if (error.cause instanceof PeerRevoked)
    return { kind: 'failed', flag: 'CERT_REVOKED', error: MeshError.from(error, 'MESH-HBONE-002'), unsent: unprocessed };
  if (session.usable) return { ...failureOf(peer, error, undefined), unsent: unprocessed };
  const { promise: waited, resolve } = Promise.withResolvers<undefined>();
  const cancel = clock.after(500, () => resolve(undefined));
  const end = await Promise.race([session.closed, waited]);
  cancel();
  return { ...failureOf(peer, error, end), unsent: unprocessed };
}

function failureOf(peer: string, error: Error, end: SessionEnd | undefined): Failure {
  if (end === undefined) return { kind: 'failed', flag: 'H2_HANDSHAKE_FAILURE', error: MeshError.from(error, 'MESH-HBONE-004') };
  const refused = end.detail.includes('ALERT');
  const message = `the tunnel to ${peer} ended before an answer (${end.reason}): ${end.detail}`;
  return {
    kind: 'failed',
    flag: refused ? 'TLS_FAILURE' : 'H2_HANDSHAKE_FAILURE',
    error: new MeshError(refused ? 'MESH-HBONE-002' : 'MESH-HBONE-004', { message, cause: error }),
  };
}
