/**
 * Makes one tunnel: certificate, TCP, TLS, HTTP/2, in this order, and says at which step it failed.
 */
import type { Duplex } from 'node:stream';
import type { Clock } from '../lifecycle/clock.ts';
import { formatSocketAddress } from '../model/ip-address.ts';
import type { SocketAddress } from '../model/ip-address.ts';
import type { SpiffeId } from '../identity/spiffe.ts';
import { MeshError } from '../observe/mesh-error.ts';
import { connectHandshake } from '../tls/client-handshake.ts';
import type { HandshakeOutcome, TlsFacts } from '../tls/handshake.ts';
import type { HandshakeFailure } from '../tls/handshake-failure.ts';
import { serverAmong } from '../tls/peer-identity.ts';
import type { CertificateSource, WorkloadCertificate } from '../certificates/workload-certificate.ts';
import type { TunnelFailureFlag, TunnelTarget } from './dialer.ts';
import type { ClientSession, EngineSettings, TunnelEngine } from './engine.ts';
import { cutWhenRevoked, objectionOf } from './revocation.ts';

export type ConnectorDeps = {
  readonly engine: TunnelEngine;
  readonly certificates: CertificateSource;
  /** Opens the TCP connection in the pod's namespace, or whatever else the tunnel shall run over. */
  readonly connect: (target: SocketAddress, signal: AbortSignal) => Promise<Duplex>;
  readonly clock: Clock;
};

export type ConnectorOptions = {
  readonly settings: EngineSettings;
  /** Time for the TCP connection, and again for the TLS handshake, milliseconds. @default 10 000 */
  readonly connectMs?: number;
  /** How messages name the peer. @default its address */
  readonly peerName?: string;
};

export type TunnelConnection =
  | { readonly kind: 'connected'; readonly session: ClientSession; readonly peer: SpiffeId; readonly tls: TlsFacts }
  | { readonly kind: 'failed'; readonly flag: TunnelFailureFlag; readonly error: MeshError };

/** Never rejects. */
export async function connectTunnel(
  target: TunnelTarget,
  options: ConnectorOptions,
  deps: ConnectorDeps,
  signal: AbortSignal,
): Promise<TunnelConnection> {
  let step: TunnelFailureFlag = 'IDENTITY_ERROR';
  try {
    const certificate = await deps.certificates.get(target.sourceIdentity, signal);
    step = 'CONNECT';
    const raw = await connectTcp(target, options, deps, signal);
    step = 'TLS_FAILURE';
    const secured = await secure(raw, certificate, target, options, deps, signal);
    if (secured.kind === 'failed') return unsafe(target, options, secured.failure);
    const { socket, peer, tls } = secured;
    step = 'H2_HANDSHAKE_FAILURE';
    const session = await deps.engine.connect(socket, options.settings);
    cutWhenRevoked(session, socket, certificate, 'source');
    return { kind: 'connected', session, peer, tls };
  } catch (thrown) {
    return { kind: 'failed', flag: step, error: MeshError.from(thrown, codes[step]) };
  }
}

const codes = {
  IDENTITY_ERROR: 'MESH-CERT-001',
  CERT_REVOKED: 'MESH-HBONE-002',
  CONNECT: 'MESH-HBONE-001',
  TLS_FAILURE: 'MESH-HBONE-002',
  H2_HANDSHAKE_FAILURE: 'MESH-HBONE-004',
  DENY: 'MESH-HBONE-003',
} as const satisfies Record<TunnelFailureFlag, string>;

async function connectTcp(
  target: TunnelTarget,
  options: ConnectorOptions,
  deps: ConnectorDeps,
  signal: AbortSignal,
): Promise<Duplex> {
  const connectMs = options.connectMs ?? 10_000;
  const expired = new AbortController();
  const cancel = deps.clock.after(connectMs, () => expired.abort(new Error(`no connection within ${connectMs} ms`)));
  try {
    return await deps.connect(target.address, AbortSignal.any([signal, expired.signal]));
  } catch (cause) {
    const reason = expired.signal.aborted ? expired.signal.reason : cause;
    const why = reason instanceof Error ? reason.message : String(reason);
    throw new MeshError('MESH-HBONE-001', {
      message: `connecting to ${formatSocketAddress(target.address)} failed: ${why}`,
      cause,
    });
  } finally {
    cancel();
  }
}

async function secure(
  raw: Duplex,
  certificate: WorkloadCertificate,
  target: TunnelTarget,
  options: ConnectorOptions,
  deps: ConnectorDeps,
  signal: AbortSignal,
): Promise<HandshakeOutcome> {
  const rule = serverAmong(target.acceptedPeers);
  const limits = { signal, ...(options.connectMs === undefined ? {} : { deadlineMs: options.connectMs }) };
  const objection = objectionOf(certificate, 'source');
  return connectHandshake(raw, { context: certificate.clientContext, rule, objection, ...limits }, deps);
}

function unsafe(target: TunnelTarget, { peerName }: ConnectorOptions, { reason, detail }: HandshakeFailure): TunnelConnection {
  const message = `TLS with ${peerName ?? formatSocketAddress(target.address)} failed (${reason}): ${detail}`;
  const flag = reason === 'revoked' ? 'CERT_REVOKED' : 'TLS_FAILURE';
  return { kind: 'failed', flag, error: new MeshError('MESH-HBONE-002', { message }) };
}
