/**
 * Terminates HBONE for one identity: TLS on sockets the listener accepted, then HTTP/2, then requests to the path.
 *
 *   accept ─▶ certificate ─▶ handshake ─▶ peer verified ─▶ engine.serve ─▶ onConnect …
 *      └────────── any failure: socket closed, onFailure ──────────┘
 *
 * A1  No byte of HTTP/2 is read or written before the peer is verified.
 * A2  Certificate and handshake together take no longer than `handshakeMs`, and at most `maxHandshakes` are under way:
 *     a peer that trickles bytes costs one slot for that long. Of these one address has a share only, so that who proves
 *     nothing cannot keep out those who could.
 * A3  The certificate is asked for at each accept, so a rotation affects new connections and no old one.
 * A4  Draining: a graceful GOAWAY to all; forced or disposed: an abrupt one, and everything ends.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../lifecycle/clock.ts';
import type { Drain } from '../lifecycle/drain.ts';
import { formatSocketAddress, parseIp } from '../model/ip-address.ts';
import type { IpAddress, SocketAddress } from '../model/ip-address.ts';
import type { SpiffeId } from '../identity/spiffe.ts';
import type { Logger } from '../observe/log.ts';
import type { MeshErrorCode } from '../observe/error-codes.ts';
import { MeshError } from '../observe/mesh-error.ts';
import type { HandshakeOutcome, TlsFacts } from '../tls/handshake.ts';
import type { HandshakeFailureReason } from '../tls/handshake-failure.ts';
import { clientOf } from '../tls/peer-identity.ts';
import { acceptHandshake } from '../tls/server-handshake.ts';
import type { CertificateSource, WorkloadCertificate } from '../certificates/workload-certificate.ts';
import type { EngineSettings, IncomingConnect, ServerSession, SessionEnd, TunnelEngine } from './engine.ts';
import { serverSettings } from './engine-settings.ts';
import { cutWhenRevoked, objectionOf } from './revocation.ts';

/** Who sent a request: proven by the TLS handshake of its connection. */
export type AcceptedPeer = {
  readonly identity: SpiffeId;
  readonly remote: SocketAddress;
  /** The address the peer connected to. */
  readonly local: SocketAddress;
  readonly tls: TlsFacts;
};

export type AcceptFailureReason = HandshakeFailureReason | 'certificate-unavailable' | 'overloaded';

/** A connection that ended before its peer was verified. */
export type AcceptFailure = {
  readonly remote: SocketAddress;
  readonly local: SocketAddress;
  /** Fit to be a metric label. */
  readonly reason: AcceptFailureReason;
  readonly error: MeshError;
};

export type TunnelAcceptorOptions = {
  readonly identity: SpiffeId;
  /** Clients of other trust domains are turned away. */
  readonly trustDomain: string;
  /** @default serverSettings */
  readonly settings?: EngineSettings;
  /** Milliseconds. @default 10 000 */
  readonly handshakeMs?: number;
  /** Handshakes under way at a time; further connections are closed. @default 512 */
  readonly maxHandshakes?: number;
  /** Of these, from one address. @default 64 */
  readonly maxHandshakesPerPeer?: number;
};

export type TunnelAcceptorDeps = {
  readonly engine: TunnelEngine;
  readonly certificates: CertificateSource;
  readonly drain: Drain;
  readonly onConnect: (incoming: IncomingConnect, peer: AcceptedPeer) => void;
  readonly onFailure: (failure: AcceptFailure) => void;
  /** Hears why each verified connection ended. @default nobody */
  readonly onSessionEnd?: (end: SessionEnd, peer: AcceptedPeer) => void;
  readonly clock: Clock;
  readonly logger: Logger;
};

type Addresses = Pick<AcceptedPeer, 'remote' | 'local'>;

export class TunnelAcceptor implements AsyncDisposable {
  readonly #options: TunnelAcceptorOptions;
  readonly #deps: TunnelAcceptorDeps;
  readonly #handshakes = new Set<Promise<void>>();
  /** Handshakes under way, by the peer's address. */
  readonly #shares = new Map<IpAddress, number>();
  readonly #sessions = new Set<ServerSession>();
  readonly #stopped = new AbortController();

  constructor(options: TunnelAcceptorOptions, deps: TunnelAcceptorDeps) {
    this.#options = options;
    this.#deps = deps;
    const { draining, forced } = deps.drain;
    draining.addEventListener('abort', this.#drain, { once: true });
    forced.addEventListener('abort', this.#stop, { once: true });
    if (forced.aborted) this.#stop();
  }

  /** Verified connections open now. */
  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Streams open on them. */
  get streamCount(): number {
    return this.#sessions.values().reduce((streams, session) => streams + session.activeStreams, 0);
  }

  /** Takes over a connection; whatever happens to it is told by `onConnect` or `onFailure`. */
  accept(socket: Socket): void {
    // Between here and the TLS socket nobody else listens.
    socket.on('error', ignore);
    const addresses = addressesOf(socket);
    if (addresses === undefined || this.#stopped.signal.aborted) return void socket.destroy();
    const { ip } = addresses.remote;
    const share = this.#shares.get(ip) ?? 0;
    const { maxHandshakes = 512, maxHandshakesPerPeer = 64 } = this.#options;
    if (this.#handshakes.size >= maxHandshakes || share >= maxHandshakesPerPeer) {
      socket.destroy();
      const detail = `${this.#handshakes.size} handshakes are under way, ${share} of them from this address`;
      return this.#fail(addresses, 'overloaded', detail);
    }
    this.#shares.set(ip, share + 1);
    const handshake = this.#secure(socket, addresses).finally(() => {
      this.#handshakes.delete(handshake);
      this.#leave(ip);
    });
    this.#handshakes.add(handshake);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop();
    await Promise.all(this.#handshakes);
    await Promise.all([...this.#sessions].map((session) => session.closed));
  }

  #leave(ip: IpAddress): void {
    const left = (this.#shares.get(ip) ?? 1) - 1;
    if (left === 0) this.#shares.delete(ip);
    else this.#shares.set(ip, left);
  }

  async #secure(socket: Socket, addresses: Addresses): Promise<void> {
    const startedMs = this.#deps.clock.monotonicMs();
    const certificate = await this.#certificate(socket, addresses);
    if (certificate === undefined) return;
    const deadlineMs = this.#handshakeMs - (this.#deps.clock.monotonicMs() - startedMs);
    const options = {
      context: certificate.serverContext,
      rule: clientOf(this.#options.trustDomain),
      objection: objectionOf(certificate, 'destination'),
      deadlineMs,
      signal: this.#stopped.signal,
    };
    const outcome = await acceptHandshake(socket, options, this.#deps);
    if (outcome.kind === 'failed') this.#fail(addresses, outcome.failure.reason, outcome.failure.detail);
    else cutWhenRevoked(this.#serve(outcome, addresses), outcome.socket, certificate, 'destination');
  }

  async #certificate(socket: Socket, addresses: Addresses): Promise<WorkloadCertificate | undefined> {
    const expired = new AbortController();
    const cancel = this.#deps.clock.after(this.#handshakeMs, () =>
      expired.abort(new Error(`none within ${this.#handshakeMs} ms`)),
    );
    try {
      return await this.#deps.certificates.get(this.#options.identity, AbortSignal.any([this.#stopped.signal, expired.signal]));
    } catch (thrown) {
      socket.destroy();
      this.#fail(addresses, 'certificate-unavailable', thrown instanceof Error ? thrown.message : String(thrown));
      return undefined;
    } finally {
      cancel();
    }
  }

  #serve({ socket, peer: identity, tls }: HandshakeOutcome & { readonly kind: 'verified' }, addresses: Addresses): ServerSession {
    const peer: AcceptedPeer = { ...addresses, identity, tls };
    const { engine, onConnect, onSessionEnd, logger, drain } = this.#deps;
    const session = engine.serve(socket, this.#options.settings ?? serverSettings, (incoming) => onConnect(incoming, peer));
    const fields = { 'src.addr': formatSocketAddress(peer.remote), 'src.identity': identity };
    this.#sessions.add(session);
    logger.debug('tunnel accepted', { ...fields, ...tls });
    void session.closed.then((end) => {
      this.#sessions.delete(session);
      logger.debug('tunnel ended', { ...fields, ...end });
      onSessionEnd?.(end, peer);
    });
    if (drain.draining.aborted) session.drain();
    return session;
  }

  #fail(addresses: Addresses, reason: AcceptFailureReason, detail: string): void {
    const message = `TLS from ${formatSocketAddress(addresses.remote)} failed (${reason}): ${detail}`;
    this.#deps.onFailure({ ...addresses, reason, error: new MeshError(codeOf(reason), { message }) });
  }

  get #handshakeMs(): number {
    return this.#options.handshakeMs ?? 10_000;
  }

  readonly #drain = (): void => {
    for (const session of this.#sessions) session.drain();
  };

  readonly #stop = (): void => {
    const { draining, forced } = this.#deps.drain;
    draining.removeEventListener('abort', this.#drain);
    forced.removeEventListener('abort', this.#stop);
    this.#stopped.abort(new Error('the acceptor is closing'));
    for (const session of this.#sessions) session.destroy();
  };
}

function codeOf(reason: AcceptFailureReason): MeshErrorCode {
  if (reason === 'overloaded') return 'MESH-HBONE-005';
  return reason === 'certificate-unavailable' ? 'MESH-CERT-001' : 'MESH-HBONE-002';
}

/** `undefined` for a socket that is gone already. */
function addressesOf(socket: Socket): Addresses | undefined {
  const remote = parseIp(socket.remoteAddress ?? '');
  const local = parseIp(socket.localAddress ?? '');
  if (remote === undefined || local === undefined) return undefined;
  return { remote: { ip: remote, port: socket.remotePort ?? 0 }, local: { ip: local, port: socket.localPort ?? 0 } };
}

function ignore(): void {}
