import type { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { SpiffeId } from '../identity/spiffe.ts';
import { spiffeIdsOf } from '../identity/certificate.ts';
import type { Clock } from '../lifecycle/clock.ts';
import { failureOf } from './handshake-failure.ts';
import type { HandshakeFailure } from './handshake-failure.ts';
import type { PeerRule } from './peer-identity.ts';

/** What was negotiated, for logs and the crypto inventory. */
export type TlsFacts = {
  /** Such as `TLSv1.3`. */
  readonly protocol: string;
  /** Such as `TLS_AES_256_GCM_SHA384`. */
  readonly cipher: string;
  /** Such as `X25519MLKEM768`. Clients only: Node does not tell a server which group was taken. */
  readonly group?: string;
};

/** The end of a handshake: a socket with a proven peer, or a closed one and the reason. */
export type HandshakeOutcome =
  | { readonly kind: 'verified'; readonly socket: TLSSocket; readonly peer: SpiffeId; readonly tls: TlsFacts }
  | { readonly kind: 'failed'; readonly failure: HandshakeFailure };

/** What speaks against a peer whose chain is verified, such as a revocation. */
export type PeerObjection = (certificate: X509Certificate) => HandshakeFailure | undefined;

/** Bounds of one handshake. */
export type HandshakeLimits = {
  /** Milliseconds from the start to the verified peer. @default 10 000 */
  readonly deadlineMs?: number;
  /** Aborting closes the socket. */
  readonly signal: AbortSignal;
};

/**
 * Waits for the end of a handshake under way and judges the peer right there, before anybody reads or writes a byte of
 * HTTP/2. A socket that does not pass is destroyed.
 */
export function awaitHandshake(
  socket: TLSSocket,
  raw: Duplex,
  steps: { readonly event: 'secure' | 'secureConnect'; readonly judge: () => HandshakeOutcome },
  limits: HandshakeLimits,
  deps: { readonly clock: Clock },
): Promise<HandshakeOutcome> {
  return new Promise((resolve) => {
    const finish = (outcome: HandshakeOutcome): void => {
      cancelDeadline();
      limits.signal.removeEventListener('abort', onAbort);
      socket.off(steps.event, onSecure).off('close', onClose).off('error', onError);
      if (outcome.kind === 'failed') socket.destroy();
      resolve(outcome);
    };
    const fail = (failure: HandshakeFailure): void => finish({ kind: 'failed', failure });
    const onSecure = (): void => finish(steps.judge());
    const onError = (error: Error): void => fail(failureOf(error));
    const onClose = (): void =>
      fail({ reason: 'connection-lost', detail: raw.errored?.message ?? 'closed during the handshake' });
    const onAbort = (): void => fail({ reason: 'connection-lost', detail: 'given up on this side' });
    const deadlineMs = limits.deadlineMs ?? 10_000;
    const cancelDeadline = deps.clock.after(deadlineMs, () => {
      fail({ reason: 'timeout', detail: `no end of the handshake within ${Math.round(deadlineMs)} ms` });
    });
    // Stays when the handshake is over: an error between it and the next owner's listener must not end the process.
    socket.on('error', ignore);
    socket.once(steps.event, onSecure).once('close', onClose).once('error', onError);
    limits.signal.addEventListener('abort', onAbort, { once: true });
    if (limits.signal.aborted) onAbort();
  });
}

/** Applies the rule to a socket whose chain is verified. */
export function judgePeer(
  socket: TLSSocket,
  {
    rule,
    objection,
    group,
  }: { readonly rule: PeerRule; readonly objection?: PeerObjection; readonly group?: string | undefined },
): HandshakeOutcome {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { kind: 'failed', failure: { reason: 'no-certificate', detail: 'none presented' } };
  const failure = objection?.(certificate);
  if (failure !== undefined) return { kind: 'failed', failure };
  const verdict = rule(spiffeIdsOf(certificate.raw));
  if (verdict.kind === 'rejected') return { kind: 'failed', failure: verdict.failure };
  const tls = {
    protocol: socket.getProtocol() ?? '',
    cipher: socket.getCipher().name,
    ...(group === undefined ? {} : { group }),
  };
  return { kind: 'verified', socket, peer: verdict.identity, tls };
}

function ignore(): void {}
