/**
 * The data plane of one node: its pods, and what they share. Beside main.ts this (with `createPodDns` for names) is the only
 * place that constructs, so that a test can run a whole data plane without a process around it.
 *
 * D1  Pods start and end by `pods` alone; the conversation with the node agent and tests drive it alike.
 * D2  A workload that vanished, or whose address or account changed, takes the tunnels to it along in every pod
 *     (design decision 7): the address may soon be another's.
 * D3  The proxy's own pod takes tunnels to what everybody may read of the proxy anyway, and to nothing else. It is no pod that the
 *     node agent names: it comes and goes with the process.
 */
import type net from 'node:net';
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import { listenSocket } from '@clearmesh/linux/listen-socket';
import { NetworkNamespace } from '@clearmesh/linux/netns';
import { originalDestination } from '@clearmesh/linux/original-destination';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Logger } from '@clearmesh/shared/observe/log';
import { sumLoad } from './admin/load-metrics.ts';
import type { Load } from './admin/load-metrics.ts';
import type { Metrics } from './admin/metrics.ts';
import { LiveConnections } from './authorise/live-connections.ts';
import { PodProxy } from './capture/pod-proxy.ts';
import type { PodPathContext } from './capture/pod-proxy.ts';
import { PodCertificates } from './capture/pod-certificates.ts';
import type { IdentityHolds } from './capture/pod-certificates.ts';
import { Pods } from './capture/pods.ts';
import type { PodSpec, PodsChange } from './capture/pods.ts';
import type { CertificateSource } from '@clearmesh/shared/certificates/workload-certificate';
import type { ZtunnelConfig } from './config.ts';
import { podNetwork } from './deliver/pod-network.ts';
import type { OnDemandMesh } from './discover/on-demand-mesh.ts';
import { createPodDns } from './dns/create-pod-dns.ts';
import type { PodNetwork } from './deliver/pod-network.ts';
import { AccessSelection } from './path/access-selection.ts';
import { noSpans } from './path/connection-spans.ts';
import type { SpanSink } from './path/connection-spans.ts';
import { lookUpHost } from './path/host-lookup.ts';
import { IgnoredCallers } from './path/ignored-callers.ts';
import { OpenEndpoints } from './path/open-endpoints.ts';
import { PodDataPath } from './path/pod-data-path.ts';
import type { AcceptorRequest, PodDataPathOptions } from './path/pod-data-path.ts';
import { PolicyLog } from './path/policy-log.ts';
import { staleAddresses } from '@clearmesh/shared/resolve/stale-addresses';
import type { PodName, Snapshot, SnapshotChange } from '@clearmesh/shared/snapshot/snapshot';
import type { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import { TunnelAcceptor } from '@clearmesh/shared/tunnel/acceptor';
import type { TunnelEngine } from '@clearmesh/shared/tunnel/engine';
import { clientSettings, serverSettings } from '@clearmesh/shared/tunnel/engine-settings';
import { NestedDialer } from '@clearmesh/shared/tunnel/nested-dialer';
import { PooledDialer } from '@clearmesh/shared/tunnel/pooled-dialer';

export type DataPlaneOptions = Pick<
  ZtunnelConfig,
  'capture' | 'dns' | 'clusterDomain' | 'tunnel' | 'network' | 'trustDomain' | 'policyInfoLogging' | 'operation'
>;

export type DataPlaneDeps = {
  readonly store: SnapshotStore;
  /** Where the mesh is asked for on demand: the store seen through it. @default all of it is known */
  readonly onDemand?: OnDemandMesh | undefined;
  readonly certificates: CertificateSource;
  /** Told which identities pods use that are served. */
  readonly identities: IdentityHolds;
  readonly engine: TunnelEngine;
  readonly metrics: Metrics;
  readonly log: { scope(name: string): Logger };
  readonly clock: Clock;
  readonly random: Random;
  /** @default none are recorded */
  readonly spans?: SpanSink;
  /** Resolvers for names that the mesh does not know. */
  readonly nameservers: readonly SocketAddress[];
  /** Search list of every pod that is served. @default the usual one of its namespace */
  readonly searchList?: readonly string[];
  /** Word of pods that start, stop or wait. */
  readonly onPods: (change: PodsChange) => void;
};

/** The path of a pod with its own pool of tunnels. */
export type PooledPath = PodDataPath<PooledDialer>;
export type NodePods = Pods<NetworkNamespace, PodProxy<PooledPath>>;

export class DataPlane implements Disposable {
  readonly pods: NodePods;
  readonly #options: DataPlaneOptions;
  readonly #deps: DataPlaneDeps;
  readonly #live: LiveConnections;
  readonly #policyLog: PolicyLog;
  readonly #ignoredCallers: IgnoredCallers;
  readonly #lines: AccessSelection;
  readonly #openEndpoints = new OpenEndpoints();
  readonly #unsubscribe: () => void;
  #self: { readonly spec: PodSpec<NetworkNamespace>; readonly proxy: PodProxy<PooledPath> } | undefined;

  constructor(options: DataPlaneOptions, deps: DataPlaneDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#live = new LiveConnections({}, { source: deps.store, logger: deps.log.scope('policy') });
    this.#policyLog = new PolicyLog(
      { decisions: options.policyInfoLogging ? 'info' : 'debug' },
      { logger: deps.log.scope('policy'), metrics: deps.metrics },
    );
    this.#ignoredCallers = new IgnoredCallers({}, { metrics: deps.metrics, logger: deps.log.scope('policy') });
    this.#lines = new AccessSelection(options.operation.accessLog, deps);
    this.pods = new Pods(
      {},
      { start: (spec) => this.#startPod(spec), clock: deps.clock, logger: deps.log.scope('inpod'), onChange: deps.onPods },
    );
    this.#unsubscribe = deps.store.onChange((snapshot, change) => this.#recvChange(snapshot, change));
  }

  /** Serves the proxy's own pod, in the process's own network namespace (D3); throws MESH-CAPTURE-001. */
  openSelf(info: PodName): void {
    const spec = { uid: `${info.namespace}/${info.name}`, info, namespace: NetworkNamespace.current() };
    this.#self = { spec, proxy: this.#startSelf(spec) };
  }

  /** Stops accepting everywhere, waits for what is open up to `deadlineMs`, then cuts it and tells what was cut. */
  async drain(deadlineMs: number): Promise<readonly string[]> {
    const [cut, own] = await Promise.all([this.pods.drain(deadlineMs), this.#self?.proxy.drain(deadlineMs)]);
    this.#endSelf();
    return [...cut, ...(own?.cut ?? [])];
  }

  /** Ends every pod now. */
  [Symbol.dispose](): void {
    this.#unsubscribe();
    this.#endSelf();
    this.pods[Symbol.dispose]();
    this.#live[Symbol.dispose]();
  }

  /** What pods hold now, those included that were taken away and have something open. */
  get load(): Load {
    return sumLoad(this.#proxies().map(({ path }) => loadOf(path)));
  }

  /** Of pods that are served, and of those that were taken away and have something open. */
  #proxies(): readonly PodProxy<PooledPath>[] {
    const up = [...this.pods.states()].flatMap((entry) => (entry.state === 'Up' ? [entry.pod] : []));
    return [...up, ...this.pods.parting()];
  }

  #startPod(spec: PodSpec<NetworkNamespace>): PodProxy<PooledPath> {
    const { clock, log } = this.#deps;
    const createPath = (context: PodPathContext): PooledPath => this.#createPath(context);
    return new PodProxy(
      { spec, capture: this.#options.capture },
      {
        listen: listenSocket,
        createPath,
        ...(this.#options.dns === undefined ? {} : { openNames: createPodDns(this.#options.dns, this.#options, this.#deps) }),
        clock,
        logger: log.scope('inpod'),
      },
    );
  }

  #startSelf(spec: PodSpec<NetworkNamespace>): PodProxy<PooledPath> {
    const { clock, log } = this.#deps;
    const { trustDomain, capture } = this.#options;
    const createPath = (context: PodPathContext): PooledPath =>
      this.#createPath(context, { trustDomain, admittedPorts: selfPorts });
    return new PodProxy(
      { spec, capture: { ...capture, originalSource: 'off' }, tunnelOnly: true },
      { listen: listenSocket, createPath, clock, logger: log.scope('inpod') },
    );
  }

  #endSelf(): void {
    this.#self?.proxy.destroy();
    this.#self?.spec.namespace[Symbol.dispose]();
    this.#self = undefined;
  }

  #createPath({ spec, drain, originalSource }: PodPathContext, own: SelfOptions = {}): PooledPath {
    const { network, capture, tunnel, operation } = this.#options;
    const { store, onDemand, metrics, log, clock, random } = this.#deps;
    const { packetMark: mark } = capture;
    const certificates = new PodCertificates(this.#deps);
    const held = new DisposableStack();
    held.use(certificates);
    if (onDemand !== undefined) held.use(onDemand.hold(spec.info));
    const within = podNetwork(
      { namespace: spec.namespace, ...(mark === undefined ? {} : { mark }), keepAlive: capture.keepAlive, originalSource },
      { connectTcp, clock, logger: log.scope('inpod') },
    );
    const { dialer, nested } = this.#createDialers(within, certificates);
    return new PodDataPath(
      {
        pod: spec.info,
        network,
        responseBaggage: tunnel.responseBaggage,
        localhostAppTunnel: tunnel.localhostAppTunnel,
        resets: operation.resets,
        ...this.#socks(),
        ...own,
      },
      {
        drain,
        metrics,
        clock,
        random,
        log: log.scope('access'),
        lines: this.#lines.ofPod(spec.info),
        spans: this.#deps.spans ?? noSpans,
        snapshots: onDemand ?? store,
        ...(onDemand === undefined ? {} : { discovery: onDemand }),
        live: this.#live,
        policyLog: this.#policyLog,
        ignoredCallers: this.#ignoredCallers,
        openEndpoints: this.#openEndpoints,
        network: within,
        certificates: held,
        dialer,
        nested,
        createAcceptor: (request) => this.#createAcceptor(request, certificates),
        originalDestination: capturedDestination,
        lookUp: lookUpHost,
      },
    );
  }

  #socks(): Pick<PodDataPathOptions, 'socks'> {
    const { capture, clusterDomain, dns } = this.#options;
    const { searchList } = this.#deps;
    if (!capture.socks) return {};
    const naming = { clusterDomain, preferredNamespace: dns?.preferredNamespace ?? '', ipv6: capture.ipv6 };
    return { socks: searchList === undefined ? naming : { ...naming, searchList } };
  }

  #createDialers(
    within: PodNetwork,
    certificates: CertificateSource,
  ): { readonly dialer: PooledDialer; readonly nested: NestedDialer } {
    const { streamWindow, connectionWindow, maxFrame, poolMaxStreams, poolReleaseMs } = this.#options.tunnel;
    const { engine, clock, log } = this.#deps;
    const settings = { ...clientSettings, streamWindow, connectionWindow, maxFrame };
    const shared = { engine, certificates, clock, logger: log.scope('tunnel') };
    const dialer = new PooledDialer(
      { settings, maxStreams: poolMaxStreams, idleMs: poolReleaseMs },
      { ...shared, connect: (target, signal) => within.connect(target, { allowHalfOpen: false }, signal) },
    );
    return { dialer, nested: new NestedDialer({ settings }, { ...shared, outer: dialer }) };
  }

  #createAcceptor(request: AcceptorRequest, certificates: CertificateSource): TunnelAcceptor {
    const { streamWindow, connectionWindow, maxFrame } = this.#options.tunnel;
    const { engine, clock, log } = this.#deps;
    const { identity, trustDomain, drain, onConnect, onFailure } = request;
    return new TunnelAcceptor(
      { identity, trustDomain, settings: { ...serverSettings, streamWindow, connectionWindow, maxFrame } },
      { engine, certificates, drain, onConnect, onFailure, clock, logger: log.scope('tunnel') },
    );
  }

  #recvChange(snapshot: Snapshot, change: SnapshotChange): void {
    const stale = staleAddresses(snapshot, change, this.#options.network);
    if (stale.length === 0) return;
    for (const { path } of this.#proxies()) for (const ip of stale) path.dialer.closePeer(ip);
  }
}

function loadOf({ accepted, dialer, connections }: PooledPath): Load {
  const outbound = { tunnels: dialer.tunnelCount, streams: dialer.streamCount };
  return { inbound: accepted, outbound, bufferedBytes: connections.heldBytes };
}
/** What only the proxy's own pod has. */
type SelfOptions = Pick<PodDataPathOptions, 'trustDomain' | 'admittedPorts'>;

/** Metrics and readiness (l4-contract section 1), whose ports everybody may reach without a tunnel too. */
const selfPorts: ReadonlySet<number> = new Set([15_020, 15_021]);

/** SO_ORIGINAL_DST in our own type: the kernel's address is canonical text already. */
function capturedDestination(socket: net.Socket): SocketAddress | undefined {
  return originalDestination(socket) as SocketAddress | undefined;
}
