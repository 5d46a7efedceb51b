/**
 * The node proxy without a process around it: what it is made of, the order it starts in, and how it ends
 * (l4-contract section 13).
 *
 *   start: readiness ─▶ stats ─▶ admin ─▶ control plane ── first sync ──▶ node agent ── snapshot ──▶ ready
 *   drain: node agent and readiness go ─▶ pods drain ─▶ deadline: what is left is cut ─▶ everything else goes
 */
import { closeSync, existsSync, readFileSync } from 'node:fs';
import { create } from '@bufbuild/protobuf';
import { NetworkNamespace } from '@clearmesh/linux/netns';
import { outgoingSocket } from '@clearmesh/linux/outgoing-socket';
import { connectSeqpacket } from '@clearmesh/linux/seqpacket';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { NodeSchema } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import type { Node } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import { configView, workloadStateView } from './admin-view.ts';
import { startAdminServer } from './admin/admin-server.ts';
import type { HttpEndpoint } from '@clearmesh/shared/admin/http-endpoint';
import { Metrics } from './admin/metrics.ts';
import { Readiness } from '@clearmesh/shared/admin/readiness';
import { startReadinessServer } from '@clearmesh/shared/admin/readiness-server';
import { CertificateMetrics } from '@clearmesh/shared/admin/certificate-metrics';
import { startStatsServer } from '@clearmesh/shared/admin/stats-server';
import { CaptureReadiness } from './capture/capture-readiness.ts';
import { LocalIdentities } from './capture/local-identities.ts';
import type { PodsChange } from './capture/pods.ts';
import { ZdsClient } from './capture/zds-client.ts';
import { CertificateStore } from '@clearmesh/shared/certificates/certificate-store';
import type { CertificateAuthority } from '@clearmesh/shared/certificates/certificate-authority';
import { PeerTrust } from '@clearmesh/shared/certificates/peer-trust';
import { authorityOf } from '@clearmesh/shared/certificates/remote-authority';
import type { ZtunnelConfig } from './config.ts';
import { DataPlane } from './data-plane.ts';
import { OnDemandMesh } from './discover/on-demand-mesh.ts';
import type { NameSubscription } from './discover/on-demand-mesh.ts';
import { nameserversIn } from './dns/nameservers.ts';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Environment } from '@clearmesh/shared/lifecycle/environment';
import type { FilteredLog } from '@clearmesh/shared/observe/log-filter';
import { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import { readToken } from '@clearmesh/shared/discovery/credentials';
import { extraHeaders, nodeMetadata } from '@clearmesh/shared/discovery/node-metadata';
import { XdsClient } from '@clearmesh/shared/discovery/xds-client';
import { createEngine } from '@clearmesh/shared/tunnel/engine-choice';

export type ZtunnelDeps = {
  readonly env: Environment;
  readonly log: FilteredLog;
  readonly clock: Clock;
  readonly random: Random;
  /** POST /quitquitquit. */
  readonly onQuit: () => void;
  /** The node agent broke the protocol: drain, then end with status 1. */
  readonly onFatal: (error: MeshError) => void;
};

export const ztunnelVersion = '0.1.0';

/** Ports of the process itself; pods have their own (l4-contract section 1). */
const ports = { admin: 15_000, stats: 15_020, readiness: 15_021 } as const;

const resolverFile = '/etc/resolv.conf';

/** A running node proxy. */
export class Ztunnel {
  readonly #config: ZtunnelConfig;
  readonly #deps: ZtunnelDeps;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #store: SnapshotStore;
  readonly #authority: CertificateAuthority & Partial<Disposable>;
  readonly #certificates: CertificateStore;
  readonly #trust: PeerTrust;
  readonly #capture: CaptureReadiness;
  readonly #onDemand: OnDemandMesh | undefined;
  readonly #plane: DataPlane;
  readonly #readiness = new Readiness();
  readonly #endpoints: { readonly readiness: HttpEndpoint[]; readonly others: HttpEndpoint[] } = { readiness: [], others: [] };
  readonly #agent = new AbortController();
  #xds: XdsClient | undefined;
  #conversation: Promise<void> = Promise.resolve();

  private constructor(
    config: ZtunnelConfig,
    deps: ZtunnelDeps,
    { metrics, trust }: { readonly metrics: Metrics; readonly trust: PeerTrust },
  ) {
    const { clock, random, log } = deps;
    this.#config = config;
    this.#deps = deps;
    this.#logger = log.scope('ztunnel');
    this.#metrics = metrics;
    this.#trust = trust;
    this.#store = new SnapshotStore({ clusterId: config.clusterId }, { clock, logger: log.scope('xds') });
    this.#authority = authorityOf(
      { ca: config.ca, clusterId: config.clusterId, headers: extraHeaders('CA_HEADER_', deps.env) },
      { readToken: () => readToken(config.authToken) },
    );
    this.#certificates = new CertificateStore(
      { validitySeconds: Math.floor(config.certificateTtlMs / 1000) },
      { authority: this.#authority, clock, random, logger: log.scope('ca'), trust },
    );
    this.#capture = new CaptureReadiness({ task: () => this.#readiness.task('workload proxy manager') });
    const identities = this.#followLocalIdentities();
    this.#onDemand = config.onDemand ? this.#askOnDemand() : undefined;
    this.#plane = new DataPlane(config, {
      ...deps,
      store: this.#store,
      onDemand: this.#onDemand,
      certificates: this.#certificates,
      identities,
      metrics: this.#metrics,
      engine: createEngine(config.tunnel.engine, { clock }),
      nameservers: this.#readNameservers(),
      onPods: (change) => this.#recvPods(change),
    });
  }

  /** Starts everything; resolves once the servers listen. Pods follow when the control plane and the agent name them. */
  static async start(config: ZtunnelConfig, deps: ZtunnelDeps): Promise<Ztunnel> {
    checkPrivileges(config.capture.packetMark);
    const { clock, log } = deps;
    const metrics = new Metrics({ version: ztunnelVersion }, { clock });
    const certificateMetrics = new CertificateMetrics({ registry: metrics.registry, clock });
    const trust = await PeerTrust.open(config.trust, { clock, logger: log.scope('ca'), metrics: certificateMetrics });
    const ztunnel = new Ztunnel(config, deps, { metrics, trust });
    certificateMetrics.observe({ certificates: ztunnel.#certificates, trust });
    await ztunnel.#listen();
    ztunnel.#subscribe();
    return ztunnel;
  }

  /** Stops accepting, waits up to `deadlineMs` for what is open, cuts the rest, and tells the log what was cut. */
  async drain(deadlineMs: number): Promise<void> {
    this.#logger.info('drain requested', { pods: this.#plane.pods.upCount, deadline_ms: deadlineMs });
    this.#agent.abort();
    await Promise.all([this.#conversation, ...this.#endpoints.readiness.map((endpoint) => endpoint[Symbol.asyncDispose]())]);
    this.#reportCut(await this.#plane.pods.drain(deadlineMs));
    await this.#xds?.[Symbol.asyncDispose]();
    this.#plane[Symbol.dispose]();
    this.#certificates[Symbol.dispose]();
    this.#trust[Symbol.dispose]();
    this.#authority[Symbol.dispose]?.();
    await Promise.all(this.#endpoints.others.map((endpoint) => endpoint[Symbol.asyncDispose]()));
    this.#logger.info('shutdown complete');
  }

  async #listen(): Promise<void> {
    const { log, onQuit: quit } = this.#deps;
    const wildcard = this.#config.capture.ipv6 && existsSync('/proc/net/if_inet6') ? '::' : '0.0.0.0';
    const logger = log.scope('admin');
    const readiness = { ips: [wildcard], port: ports.readiness };
    this.#endpoints.readiness.push(await startReadinessServer(readiness, { readiness: this.#readiness, logger }));
    const stats = { ips: [wildcard], port: ports.stats };
    this.#endpoints.others.push(await startStatsServer(stats, { registry: this.#metrics.registry, logger }));
    const admin = { ips: ['127.0.0.1', '::1'], port: ports.admin };
    this.#endpoints.others.push(
      await startAdminServer(admin, {
        snapshot: () => this.#store.current,
        certificates: () => this.#certificates.list(),
        workloadState: () => workloadStateView(this.#plane.pods.states()),
        config: () => configView(this.#config),
        version: ztunnelVersion,
        log,
        quit,
        logger,
      }),
    );
  }

  #subscribe(): void {
    const { xds, authToken, clusterId } = this.#config;
    const { env, log, clock, random } = this.#deps;
    const synced = this.#readiness.task('state manager');
    if (xds === undefined) return this.#logger.warn('XDS_ADDRESS is empty: without a control plane no pod is served');
    this.#xds = new XdsClient(
      {
        remote: { ...xds, authToken, clusterId, headers: extraHeaders('XDS_HEADER_', env) },
        node: describeNode(this.#config, env),
        onDemand: this.#onDemand !== undefined,
      },
      {
        apply: (push) => (this.#onDemand ?? this.#store).apply(push),
        recvAnswered: (names) => this.#onDemand?.recvAnswered(names),
        recvSynced: () => {
          synced();
          this.#converse();
        },
        metrics: this.#metrics,
        clock,
        random,
        logger: log.scope('xds'),
      },
    );
    this.#xds.start();
  }

  /** The node agent is dialled only now: a pod captured before the mesh is known would be refused everything. */
  #converse(): void {
    const { log, clock, random, onFatal } = this.#deps;
    const client = new ZdsClient<NetworkNamespace>({
      dial: (signal) => connectSeqpacket(this.#config.capture.socketPath, signal),
      pods: this.#plane.pods,
      adoptNamespace: (fd) => NetworkNamespace.fromFd(fd),
      closeDescriptor: closeSync,
      clock,
      random,
      logger: log.scope('zds'),
      onState: (state) => this.#capture.recvAgent(state),
      onFatal,
    });
    this.#conversation = client.run(this.#agent.signal);
  }

  #askOnDemand(): OnDemandMesh {
    const subscription: NameSubscription = {
      stateOf: (name) => this.#xds?.stateOf(name),
      ask: (name) => this.#xds?.ask(name) ?? false,
      assume: (name) => this.#xds?.assume(name),
      giveUp: (name) => this.#xds?.giveUp(name),
    };
    const metrics = this.#metrics.lookups;
    return new OnDemandMesh(
      { clusterId: this.#config.clusterId },
      { store: this.#store, subscription, clock: this.#deps.clock, metrics },
    );
  }

  #followLocalIdentities(): LocalIdentities {
    const identities = new LocalIdentities(
      { node: this.#config.node.name },
      { want: (identity) => this.#certificates.prefetch(identity), forget: (identity) => this.#certificates.forget(identity) },
    );
    this.#store.onChange((_snapshot, change) => identities.recvChange(change));
    return identities;
  }

  /** The cluster's own resolver, as the kubelet tells every pod of it; without one, names that the mesh does not know fail. */
  #readNameservers(): readonly SocketAddress[] {
    if (this.#config.dns === undefined) return [];
    try {
      return nameserversIn(readFileSync(resolverFile, 'utf8'));
    } catch (error) {
      this.#logger.warn('names that the mesh does not know cannot be looked up for pods', {
        file: resolverFile,
        error: String(error),
      });
      return [];
    }
  }

  #recvPods({ kind, up, pending }: PodsChange): void {
    if (kind === 'started') this.#metrics.podStarted();
    if (kind === 'stopped') this.#metrics.podStopped();
    this.#metrics.pods(up, pending);
    this.#capture.recvPending(pending);
  }

  #reportCut(cut: readonly string[]): void {
    if (cut.length === 0) return;
    this.#logger.warn('drain deadline passed, open connections were cut', { count: cut.length });
    // Enough to see who held on; a storm of lines would delay the end.
    for (const connection of cut.slice(0, 100)) this.#logger.info('cut', { connection });
  }
}

/** Section 5: without these rights every pod would fail later, one by one. */
function checkPrivileges(mark: number): void {
  try {
    using own = NetworkNamespace.current();
    closeSync(outgoingSocket({ namespace: own, family: 4, mark }).fd);
  } catch (cause) {
    throw new MeshError('MESH-LINUX-001', {
      message: `cannot enter network namespaces or mark sockets: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    });
  }
}

/** How the control plane knows us: the type by the id's prefix, the node by its metadata (section 3.1). */
function describeNode({ node, clusterId }: ZtunnelConfig, env: Environment): Node {
  const { name, podName, podNamespace, instanceIp } = node;
  return create(NodeSchema, {
    id: `ztunnel~${instanceIp}~${podName}.${podNamespace}~${podNamespace}.svc.cluster.local`,
    metadata: {
      ...nodeMetadata(env),
      NAME: podName,
      NAMESPACE: podNamespace,
      INSTANCE_IPS: instanceIp,
      NODE_NAME: name,
      CLUSTER_ID: clusterId,
    },
  });
}
