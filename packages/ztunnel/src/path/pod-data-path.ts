/**
 * The paths of one pod, put together: its own tunnels out, its own acceptor for tunnels in, and what both share.
 *
 * P1  Nothing is shared with another pod but the snapshot and the list of connections that policy watches.
 * P2  The acceptor is made for the identity the control plane gives the pod, and made anew when that changes.
 * P3  A pod holds so many connections and no more: one that opens or attracts them without end must not take the
 *     memory and descriptors of the node's other pods.
 */
import type net from 'node:net';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Drain } from '@clearmesh/shared/lifecycle/drain';
import { closeStream } from '@clearmesh/shared/net/close-stream';
import type { IpAddress, SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Workload } from '@clearmesh/shared/model/workload';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { PodPath } from '../capture/pod-proxy.ts';
import type { Accepted } from '../capture/pod-listener.ts';
import type { PodNetwork } from '../deliver/pod-network.ts';
import type { PodName } from '@clearmesh/shared/snapshot/snapshot';
import type { AcceptFailure, AcceptedPeer } from '@clearmesh/shared/tunnel/acceptor';
import type { NestedTunnelDialer, TunnelDialer } from '@clearmesh/shared/tunnel/dialer';
import type { IncomingConnect } from '@clearmesh/shared/tunnel/engine';
import type { Direction } from './access-log.ts';
import type { AdmissionDeps } from './admission.ts';
import type { ReportDeps } from './connection-report.ts';
import { Connections } from './connections.ts';
import type { Discovery } from './discovered.ts';
import { recordEarlyFailure } from './early-failures.ts';
import type { IgnoredCallers } from './ignored-callers.ts';
import { InboundPath } from './inbound.ts';
import { LastFailure } from './last-failure.ts';
import type { OpenEndpoints } from './open-endpoints.ts';
import { OutboundPath } from './outbound.ts';
import type { OutboundDeps } from './outbound.ts';
import { ownWorkload } from './own-workload.ts';
import type { WorkloadSource } from './own-workload.ts';
import { PlaintextPath } from './plaintext.ts';
import { SocksPath } from './socks.ts';
import type { NamingOptions } from '../dns/resolve-name.ts';
import { Refusal } from './refusal.ts';
import type { SnapshotWaitsOptions } from '@clearmesh/shared/snapshot/snapshot-waits';

/** Terminates HBONE for one identity. */
export interface Acceptor extends AsyncDisposable {
  /** Tunnels open now, and the connections in them. */
  readonly sessionCount: number;
  readonly streamCount: number;
  accept(socket: net.Socket): void;
}

export type AcceptorRequest = {
  readonly identity: SpiffeId;
  readonly trustDomain: string;
  readonly drain: Drain;
  readonly onConnect: (incoming: IncomingConnect, peer: AcceptedPeer) => void;
  readonly onFailure: (failure: AcceptFailure) => void;
};

export type PodDataPathOptions = {
  readonly pod: PodName;
  /** The proxy's own network; "" where the mesh has one only. */
  readonly network: string;
  /** @default true */
  readonly responseBaggage: boolean;
  /** Reach an application behind a PROXY header over loopback. @default true */
  readonly localhostAppTunnel?: boolean;
  /** Of its identity. @default what the control plane says */
  readonly trustDomain?: string;
  /** The only ports that a tunnel reaches. @default all but the proxy's */
  readonly admittedPorts?: ReadonlySet<number>;
  /** What names mean to a SOCKS client of the pod; absent: it has no SOCKS listener. */
  readonly socks?: NamingOptions;
  /** Connections of the pod at a time, both directions and tunnelled ones together. @default 32 768 */
  readonly maxConnections?: number;
  /** Clients learn that a connection was refused, failed or was reset by a reset of theirs. @default false */
  readonly resets?: boolean;
  /** For the mesh to say what another proxy knows already, each direction by itself. */
  readonly waits?: SnapshotWaitsOptions;
};

export type PodDataPathDeps<Dialer extends TunnelDialer> = Omit<ReportDeps, 'failures'> &
  AdmissionDeps & {
    readonly drain: Drain;
    readonly metrics: OutboundDeps['metrics'];
    readonly snapshots: WorkloadSource;
    /** Where the mesh is asked for on demand. @default all of it is known */
    readonly discovery?: Discovery;
    readonly ignoredCallers: IgnoredCallers;
    /** Of all pods of the node. */
    readonly openEndpoints: OpenEndpoints;
    readonly network: PodNetwork;
    /** This pod's own; the path ends it. */
    readonly dialer: Dialer;
    /** Into other networks, by tunnels of `dialer`. */
    readonly nested: NestedTunnelDialer;
    readonly createAcceptor: (request: AcceptorRequest) => Acceptor;
    /** What both show; the path ends it after them. */
    readonly certificates: Disposable;
    readonly originalDestination: (socket: net.Socket) => SocketAddress | undefined;
    readonly lookUp: (hostname: string, signal: AbortSignal) => Promise<readonly IpAddress[]>;
    readonly random: Random;
  };

type AcceptorState =
  | { readonly kind: 'none' }
  | { readonly kind: 'made'; readonly identity: SpiffeId; readonly acceptor: Acceptor };

export class PodDataPath<Dialer extends TunnelDialer> implements PodPath {
  /** What is open now, for dumps. */
  readonly connections: Connections;
  readonly dialer: Dialer;
  readonly failures: LastFailure;
  readonly #pod: PodName;
  readonly #trustDomain: string | undefined;
  readonly #maxConnections: number;
  readonly #resets: boolean;
  readonly #deps: PodDataPathDeps<Dialer> & ReportDeps;
  readonly #outbound: OutboundPath;
  readonly #inbound: InboundPath;
  readonly #plaintext: PlaintextPath;
  readonly #socks: SocksPath | undefined;
  #acceptor: AcceptorState = { kind: 'none' };

  constructor(options: PodDataPathOptions, deps: PodDataPathDeps<Dialer>) {
    this.connections = new Connections(deps);
    this.dialer = deps.dialer;
    this.#pod = options.pod;
    this.#trustDomain = options.trustDomain;
    this.#maxConnections = options.maxConnections ?? 32_768;
    this.#resets = options.resets ?? false;
    this.failures = new LastFailure(deps);
    this.#deps = { ...deps, failures: this.failures };
    const shared = { ...this.#deps, connections: this.connections };
    const { pod, socks: naming } = options;
    const withPorts = { ...options, socks: naming !== undefined };
    this.#outbound = new OutboundPath(withPorts, shared);
    this.#inbound = new InboundPath(withPorts, shared);
    this.#plaintext = new PlaintextPath(withPorts, shared);
    this.#socks = naming === undefined ? undefined : new SocksPath({ pod, naming }, shared, this.#outbound);
  }

  recvOutbound(accepted: Accepted): void {
    if (this.#takes('outbound', accepted)) void this.#outbound.carry(accepted);
  }

  recvSocks(accepted: Accepted): void {
    if (this.#takes('outbound', accepted)) void this.#socks?.carry(accepted);
  }

  recvPlaintext(accepted: Accepted): void {
    if (this.#takes('inbound', accepted)) void this.#plaintext.carry(accepted);
  }

  recvTunnel(accepted: Accepted): void {
    if (this.#takes('inbound', accepted)) void this.#acceptTunnel(accepted);
  }

  /** Tunnels of peers to this pod, and the connections in them. */
  get accepted(): { readonly tunnels: number; readonly streams: number } {
    if (this.#acceptor.kind === 'none') return { tunnels: 0, streams: 0 };
    const { sessionCount: tunnels, streamCount: streams } = this.#acceptor.acceptor;
    return { tunnels, streams };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await Promise.all([this.dialer[Symbol.asyncDispose](), this.#endAcceptor()]);
    } finally {
      this.#deps.certificates[Symbol.dispose]();
    }
  }

  /** The certificate to present is the workload's, so the handshake waits until that is known (fail closed after 5 s). */
  async #acceptTunnel({ socket, remote, local }: Accepted): Promise<void> {
    using connection = this.connections.open('inbound', remote);
    try {
      const workload = await ownWorkload(this.#deps.snapshots, this.#pod, 'unknown-workload', connection.signal);
      this.#acceptorFor(workload).accept(socket);
    } catch (thrown) {
      recordEarlyFailure({ direction: 'inbound', source: remote, destination: local, thrown }, this.#deps);
      socket.destroy();
    }
  }

  #acceptorFor(workload: Workload): Acceptor {
    const trustDomain = this.#trustDomain ?? workload.trustDomain;
    const identity = spiffeId({ ...workload, trustDomain });
    if (this.#acceptor.kind === 'made' && this.#acceptor.identity === identity) return this.#acceptor.acceptor;
    void this.#endAcceptor();
    const acceptor = this.#deps.createAcceptor({
      identity,
      trustDomain,
      drain: this.#deps.drain,
      onConnect: (incoming, peer) => this.#recvConnect(incoming, peer),
      onFailure: (failure) => this.#recvFailure(failure),
    });
    this.#acceptor = { kind: 'made', identity, acceptor };
    return acceptor;
  }

  #recvConnect(incoming: IncomingConnect, peer: AcceptedPeer): void {
    if (this.connections.size < this.#maxConnections) return void this.#inbound.carry(incoming, peer);
    incoming.refuse(503);
    this.#recordFull('inbound', peer);
  }

  /** P3. */
  #takes(direction: Direction, accepted: Accepted): boolean {
    if (this.connections.size < this.#maxConnections) return true;
    closeStream(accepted.socket, this.#resets ? 'reset' : 'in-order');
    this.#recordFull(direction, accepted);
    return false;
  }

  #recordFull(direction: Direction, { remote, local }: Pick<Accepted, 'remote' | 'local'>): void {
    const message = `the pod has ${this.#maxConnections} connections open already`;
    const thrown = new Refusal({ reason: 'too-many-connections', message });
    recordEarlyFailure({ direction, source: remote, destination: local, thrown }, this.#deps);
  }

  #recvFailure({ remote, local, reason, error }: AcceptFailure): void {
    const thrown =
      reason === 'certificate-unavailable'
        ? new Refusal({ reason, message: error.message, flag: 'IDENTITY_ERROR' })
        : new Refusal({
            reason: `tls-${reason}`,
            message: error.message,
            flag: reason === 'revoked' ? 'CERT_REVOKED' : 'TLS_FAILURE',
          });
    recordEarlyFailure({ direction: 'inbound', source: remote, destination: local, thrown }, this.#deps);
  }

  async #endAcceptor(): Promise<void> {
    const state = this.#acceptor;
    this.#acceptor = { kind: 'none' };
    if (state.kind === 'made') await state.acceptor[Symbol.asyncDispose]();
  }
}
