/**
 * Opens streams to peers over pooled tunnels: the pool decides, this obeys. One per pod.
 *
 * D1  Making a tunnel belongs to the dialer, not to who asked first: it goes on when that one gives up, and all who wait
 *     for it share its outcome.
 * D2  A request the peer certainly did not look at (it said GOAWAY meanwhile, or its limit was reached) goes to another
 *     tunnel, twice at most. Nothing else is ever sent again.
 * D3  Every tunnel that is alive is in `#tunnels`, offered or not, so that `closePeer` and disposal find it.
 * D4  The peer's GOAWAY is told at once, while its streams go on.
 */
import type { IpAddress } from '../model/ip-address.ts';
import { formatSocketAddress } from '../model/ip-address.ts';
import type { SpiffeId } from '../identity/spiffe.ts';
import type { Logger } from '../observe/log.ts';
import { MeshError } from '../observe/mesh-error.ts';
import { connectTunnel } from './connector.ts';
import type { ConnectorDeps, TunnelConnection } from './connector.ts';
import type { DialOutcome, TunnelDialer, TunnelTarget } from './dialer.ts';
import type { ClientSession, ConnectRequest, ConnectResponse, EngineSettings } from './engine.ts';
import { clientSettings } from './engine-settings.ts';
import { TunnelPool } from './pool.ts';
import type { PoolMember, PoolOptions } from './pool.ts';
import { explainUnanswered } from './unanswered.ts';
import type { Failure } from './unanswered.ts';

export type PooledDialerOptions = PoolOptions & {
  /** @default clientSettings */
  readonly settings?: EngineSettings;
  /** Time for the TCP connection, and again for the TLS handshake, milliseconds. @default 10 000 */
  readonly connectMs?: number;
};

export type PooledDialerDeps = ConnectorDeps & {
  readonly logger: Logger;
  /**
   * Hears that a tunnel's peer takes no new streams (D4). Whoever keeps streams open for later requests gives them up when
   * they are at rest: the peer will cut them at a moment that nobody chose.
   */
  readonly onPeerDraining?: (target: TunnelTarget) => void;
};

const maxAttempts = 3;

/** One pooled connection. */
class Tunnel implements PoolMember {
  readonly session: ClientSession;
  readonly peer: SpiffeId;
  readonly target: TunnelTarget;

  constructor(session: ClientSession, peer: SpiffeId, target: TunnelTarget) {
    this.session = session;
    this.peer = peer;
    this.target = target;
  }

  get activeStreams(): number {
    return this.session.activeStreams;
  }

  get peerMaxStreams(): number {
    return this.session.peerMaxStreams;
  }

  get usable(): boolean {
    return this.session.usable;
  }
}

type Connecting = { readonly target: TunnelTarget; readonly abort: AbortController; readonly outcome: Promise<TunnelConnection> };

export class PooledDialer implements TunnelDialer {
  readonly #options: PooledDialerOptions & { readonly settings: EngineSettings };
  readonly #deps: PooledDialerDeps;
  readonly #pool: TunnelPool<Tunnel>;
  readonly #connecting = new Map<string, Connecting>();
  readonly #tunnels = new Set<Tunnel>();
  readonly #stopped = new AbortController();

  constructor(options: PooledDialerOptions, deps: PooledDialerDeps) {
    this.#options = { ...options, settings: options.settings ?? clientSettings };
    this.#deps = deps;
    // "The pool drops its reference; the connection closes when its last stream ends."
    this.#pool = new TunnelPool(options, { clock: deps.clock, retire: (tunnel) => tunnel.session.drain() });
  }

  /** Tunnels alive now, those that take no new streams included. */
  get tunnelCount(): number {
    return this.#tunnels.size;
  }

  /** Streams open on them. */
  get streamCount(): number {
    return this.#tunnels.values().reduce((streams, tunnel) => streams + tunnel.activeStreams, 0);
  }

  async dial(target: TunnelTarget, request: ConnectRequest, signal: AbortSignal): Promise<DialOutcome> {
    const key = keyOf(target);
    for (let attempt = 1; ; attempt++) {
      const opening = await this.#open(key, target, request, signal);
      if (opening.kind === 'failed') return { ...opening, unsent: true };
      const { response, tunnel } = opening;
      if (response.kind === 'open') {
        const { stream, baggage } = response;
        return { kind: 'open', stream, peer: tunnel.peer, ...(baggage === undefined ? {} : { baggage }) };
      }
      if (response.kind === 'refused') return { ...response, peer: tunnel.peer };
      if (!response.unprocessed || attempt === maxAttempts || signal.aborted)
        return explainUnanswered(tunnel.session, formatSocketAddress(target.address), response, this.#deps);
      this.#pool.discard(key, tunnel);
    }
  }

  /** Ends every tunnel to an address, streams and all: the workload behind it was removed (design decision 7). */
  closePeer(ip: IpAddress): void {
    for (const { target, abort } of this.#connecting.values())
      if (target.address.ip === ip) abort.abort(new Error('the workload was removed'));
    for (const tunnel of this.#tunnels) if (tunnel.target.address.ip === ip) tunnel.session.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort(new Error('the pod’s proxy is closing'));
    for (const { abort } of this.#connecting.values()) abort.abort(this.#stopped.signal.reason);
    await Promise.all([...this.#connecting.values()].map(({ outcome }) => outcome));
    this.#pool.clear();
    const closing = [...this.#tunnels].map(({ session }) => session.closed);
    for (const { session } of this.#tunnels) session.destroy();
    await Promise.all(closing);
  }

  /** Sends the request on the tunnel the pool names; the two must not be separated by a turn of the loop. */
  async #open(
    key: string,
    target: TunnelTarget,
    request: ConnectRequest,
    signal: AbortSignal,
  ): Promise<Failure | { readonly kind: 'answered'; readonly tunnel: Tunnel; readonly response: ConnectResponse }> {
    for (;;) {
      if (signal.aborted || this.#stopped.signal.aborted)
        return abandoned(target, signal.aborted ? signal.reason : this.#stopped.signal.reason);
      const checkout = this.#pool.checkout(key);
      if (checkout.kind === 'use') {
        const { member: tunnel, last } = checkout;
        const response = tunnel.session.open(request, signal);
        if (last) tunnel.session.drain();
        return { kind: 'answered', tunnel, response: await response };
      }
      if (checkout.kind === 'connect') this.#connect(key, target);
      const connection = await unlessAborted(this.#connecting.get(key)?.outcome, signal);
      if (connection?.kind === 'failed') return connection;
    }
  }

  #connect(key: string, target: TunnelTarget): void {
    const abort = new AbortController();
    const outcome = connectTunnel(target, this.#options, this.#deps, abort.signal).then((connection) => {
      this.#connecting.delete(key);
      if (connection.kind === 'failed') this.#pool.recvFailed(key);
      else this.#adopt(key, new Tunnel(connection.session, connection.peer, target), connection);
      return connection;
    });
    this.#connecting.set(key, { target, abort, outcome });
  }

  #adopt(key: string, tunnel: Tunnel, { tls }: TunnelConnection & { readonly kind: 'connected' }): void {
    const { logger } = this.#deps;
    const fields = { 'dst.addr': formatSocketAddress(tunnel.target.address), 'dst.identity': tunnel.peer };
    this.#tunnels.add(tunnel);
    this.#pool.recvConnected(key, tunnel);
    logger.debug('tunnel opened', { ...fields, ...tls });
    void tunnel.session.peerDraining.then(() => this.#deps.onPeerDraining?.(tunnel.target));
    void tunnel.session.closed.then((end) => {
      this.#tunnels.delete(tunnel);
      this.#pool.discard(key, tunnel);
      logger.debug('tunnel closed', { ...fields, ...end });
    });
  }
}

/** Section 2.4: source identity, accepted peers in order, target, source address. */
function keyOf(target: TunnelTarget): string {
  return JSON.stringify([target.sourceIdentity, target.acceptedPeers, formatSocketAddress(target.address), target.sourceIp]);
}

function abandoned(target: TunnelTarget, reason: unknown): Failure {
  const why = reason instanceof Error ? reason.message : String(reason);
  const message = `the connection to ${formatSocketAddress(target.address)} was given up: ${why}`;
  return { kind: 'failed', flag: 'CONNECT', error: new MeshError('MESH-HBONE-001', { message, cause: reason }) };
}

/** The promise's value, or `undefined` as soon as the signal aborts. */
function unlessAborted<T>(promise: Promise<T> | undefined, signal: AbortSignal): Promise<T | undefined> {
  if (promise === undefined) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.finally(() => signal.removeEventListener('abort', onAbort)).then(resolve, reject);
  });
}
