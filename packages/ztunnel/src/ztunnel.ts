/**
 * The node proxy without a process around it: what it is made of, the order it starts in, and how it ends
 * (l4-contract section 13).
 *
 *   start: readiness ─▶ stats ─▶ admin ─▶ control plane ── first sync ──▶ what is served (serving.ts) ──▶ ready
 *   drain: node agent and readiness go ─▶ pods drain ─▶ deadline: what is left is cut ─▶ everything else goes
 */
import { closeSync, openSync } from 'node:fs';
import { NetworkNamespace } from '@clearmesh/linux/netns';
import { outgoingSocket } from '@clearmesh/linux/outgoing-socket';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { wildcardAddress } from '@clearmesh/shared/net/wildcard';
import { configView, workloadStateView } from './admin-view.ts';
import { podsView } from './pod-status.ts';
import type { PodFacts } from './pod-status.ts';
import { registerSpanMetrics, startSpans } from './start-spans.ts';
import type { Spans } from './start-spans.ts';
import { startAdminServer } from './admin/admin-server.ts';
import type { HttpEndpoint } from '@clearmesh/shared/admin/http-endpoint';
import { registerLoadMetrics } from './admin/load-metrics.ts';
import { Metrics } from './admin/metrics.ts';
import { Readiness } from '@clearmesh/shared/admin/readiness';
import { startReadinessServer } from '@clearmesh/shared/admin/readiness-server';
import { CertificateMetrics } from '@clearmesh/shared/admin/certificate-metrics';
import { startStatsServer } from '@clearmesh/shared/admin/stats-server';
import { AcceptHealth } from './capture/accept-health.ts';
import { LocalIdentities } from './capture/local-identities.ts';
import type { PodsChange } from './capture/pods.ts';
import { CertificateStore } from '@clearmesh/shared/certificates/certificate-store';
import type { CertificateAuthority } from '@clearmesh/shared/certificates/certificate-authority';
import { PeerTrust } from '@clearmesh/shared/certificates/peer-trust';
import type { ZtunnelConfig } from './config.ts';
import { DataPlane } from './data-plane.ts';
import type { DataPlaneDeps } from './data-plane.ts';
import { describeNode } from './discover/describe-node.ts';
import { OnDemandMesh } from './discover/on-demand-mesh.ts';
import type { NameSubscription } from './discover/on-demand-mesh.ts';
import { readResolver } from './dns/nameservers.ts';
import { createServing } from './serving.ts';
import type { Serving } from './serving.ts';
import type { DeltaPush, Rejection } from '@clearmesh/shared/subscribe/delta-push';
import type { Environment } from '@clearmesh/shared/lifecycle/environment';
import type { FilteredLog } from '@clearmesh/shared/observe/log-filter';
import { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import { extraHeaders } from '@clearmesh/shared/discovery/node-metadata';
import { XdsClient } from '@clearmesh/shared/discovery/xds-client';
import { createEngine } from '@clearmesh/shared/tunnel/engine-choice';
import { openAuthority } from './open-authority.ts';
import { registerFreshness } from './local/freshness-gauge.ts';
import type { LocalConfiguration } from './local/local-configuration.ts';

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

/** What has to be opened before anything else. */
type Parts = {
  readonly metrics: Metrics;
  readonly trust: PeerTrust;
  readonly authority: CertificateAuthority & Partial<Disposable>;
  readonly spans: Spans;
};

export const ztunnelVersion = '0.1.0';

/** Of the process itself (l4-contract section 1); no option has it. */
const readinessPort = 15_021;

const resolverFile = '/etc/resolv.conf';

/** A running node proxy. */
export class Ztunnel {
  readonly #config: ZtunnelConfig;
  readonly #deps: ZtunnelDeps;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #store: SnapshotStore;
  readonly #authority: Parts['authority'];
  readonly #certificates: CertificateStore;
  readonly #trust: PeerTrust;
  readonly #spans: Spans;
  readonly #onDemand: OnDemandMesh | undefined;
  readonly #plane: DataPlane;
  readonly #accepts: AcceptHealth;
  readonly #serving: Serving;
  readonly #readiness = new Readiness();
  readonly #endpoints: { readonly readiness: HttpEndpoint[]; readonly others: HttpEndpoint[] } = { readiness: [], others: [] };
  #xds: XdsClient | undefined;
  #local: LocalConfiguration | undefined;

  private constructor(config: ZtunnelConfig, deps: ZtunnelDeps, { metrics, trust, authority, spans }: Parts) {
    const { clock, random, log } = deps;
    this.#config = config;
    this.#deps = deps;
    this.#logger = log.scope('ztunnel');
    this.#metrics = metrics;
    this.#trust = trust;
    this.#spans = spans;
    this.#store = new SnapshotStore({ clusterId: config.clusterId }, { clock, logger: log.scope('xds') });
    this.#authority = authority;
    this.#certificates = new CertificateStore(
      { validitySeconds: Math.floor(config.certificateTtlMs / 1000), tls: config.tls },
      { authority: this.#authority, clock, random, logger: log.scope('ca'), trust },
    );
    const identities = this.#followLocalIdentities();
    this.#onDemand = config.onDemand ? this.#askOnDemand() : undefined;
    this.#plane = new DataPlane(config, {
      ...deps,
      store: this.#store,
      onDemand: this.#onDemand,
      certificates: this.#certificates,
      identities,
      metrics: this.#metrics,
      spans: spans.sink,
      engine: createEngine(config.tunnel.engine, { clock }, config.operation),
      ...this.#readResolver(),
      onPods: (change) => this.#recvPods(change),
    });
    registerLoadMetrics(() => this.#plane.load, metrics);
    this.#accepts = new AcceptHealth(
      { deadlineMs: config.operation.acceptDeadlineMs },
      { ...deps, metrics, probe: takeDescriptor, logger: log.scope('inpod') },
    );
    this.#serving = createServing(config, { ...deps, plane: this.#plane, readiness: this.#readiness });
  }

  /** Starts everything; resolves once the servers listen. Pods follow when the control plane and the agent name them. */
  static async start(config: ZtunnelConfig, deps: ZtunnelDeps): Promise<Ztunnel> {
    checkPrivileges(config);
    const { clock, log } = deps;
    const metrics = new Metrics({ version: ztunnelVersion }, { clock });
    const certificateMetrics = new CertificateMetrics({ registry: metrics.registry, clock });
    const trust = await PeerTrust.open(config.trust, { clock, logger: log.scope('ca'), metrics: certificateMetrics });
    const spans = await startSpans(config.operation.collector, { clock, logger: log.scope('tracing') });
    registerSpanMetrics(spans.counts, metrics);
    const authority = await openAuthority(config, { ...deps, logger: log.scope('ca') });
    const ztunnel = new Ztunnel(config, deps, { metrics, trust, authority, spans });
    certificateMetrics.observe({ certificates: ztunnel.#certificates, trust });
    await ztunnel.#listen();
    if (!config.capture.connections)
      ztunnel.#logger.warn('ENABLE_PROXY=false: connections of captured pods are refused, names alone are served');
    await ztunnel.#subscribe();
    return ztunnel;
  }

  /** Stops accepting, waits up to `deadlineMs` for what is open, cuts the rest, and tells the log what was cut. */
  async drain(deadlineMs: number): Promise<void> {
    this.#logger.info('drain requested', { pods: this.#plane.pods.upCount, deadline_ms: deadlineMs });
    this.#accepts[Symbol.dispose]();
    await Promise.all([this.#serving.end(), ...this.#endpoints.readiness.map((endpoint) => endpoint[Symbol.asyncDispose]())]);
    this.#reportCut(await this.#plane.drain(deadlineMs));
    await Promise.all([this.#spans.shutdown(), this.#xds?.[Symbol.asyncDispose]()]);
    this.#local?.[Symbol.dispose]();
    this.#plane[Symbol.dispose]();
    this.#certificates[Symbol.dispose]();
    this.#trust[Symbol.dispose]();
    this.#authority[Symbol.dispose]?.();
    await Promise.all(this.#endpoints.others.map((endpoint) => endpoint[Symbol.asyncDispose]()));
    this.#logger.info('shutdown complete');
  }

  async #listen(): Promise<void> {
    const { clock, log, onQuit: quit } = this.#deps;
    const wildcard = wildcardAddress(this.#config.capture);
    const logger = log.scope('admin');
    const readiness = { ips: [wildcard], port: readinessPort };
    this.#endpoints.readiness.push(await startReadinessServer(readiness, { readiness: this.#readiness, logger }));
    const stats = { ips: [wildcard], port: this.#config.ports.stats };
    this.#endpoints.others.push(await startStatsServer(stats, { registry: this.#metrics.registry, logger }));
    const admin = { ips: ['127.0.0.1', '::1'], port: this.#config.ports.admin };
    this.#endpoints.others.push(
      await startAdminServer(admin, {
        snapshot: () => this.#store.current,
        certificates: () => this.#certificates.list(),
        pods: () => podsView(this.#plane.pods.states(), this.#podFacts()),
        workloadState: () => workloadStateView(this.#plane.pods.states(), this.#podFacts()),
        config: () => configView(this.#config),
        version: ztunnelVersion,
        log,
        clock,
        quit,
        logger,
      }),
    );
  }

  #podFacts(): PodFacts {
    const { current } = this.#store;
    return {
      certificates: this.#certificates.list(),
      workloadOf: ({ namespace, name, serviceAccount }) => current.workloadByPod(namespace, name, serviceAccount)?.uid,
    };
  }

  async #subscribe(): Promise<void> {
    const { xds, local, authToken, clusterId, tls } = this.#config;
    const { env, log, clock, random } = this.#deps;
    const synced = this.#readiness.task('state manager');
    if (local !== undefined) {
      // Loaded only here: YAML and schemas take memory that a node of a cluster has other use for.
      const { LocalConfiguration } = await import('./local/local-configuration.ts');
      const onReading = registerFreshness(this.#metrics.registry);
      const apply = (push: DeltaPush): readonly Rejection[] => this.#store.apply(push);
      this.#local = await LocalConfiguration.open(
        { source: local, clusterId },
        { apply, onReading, clock, logger: log.scope('xds') },
      );
      synced();
      return this.#serving.begin();
    }
    if (xds === undefined) return this.#logger.warn('XDS_ADDRESS is empty: without a control plane no pod is served');
    this.#xds = new XdsClient(
      {
        remote: { ...xds, tls, authToken, clusterId, headers: extraHeaders('XDS_HEADER_', env) },
        node: describeNode(this.#config, env),
        onDemand: this.#onDemand !== undefined,
      },
      {
        apply: (push) => (this.#onDemand ?? this.#store).apply(push),
        recvAnswered: (names) => this.#onDemand?.recvAnswered(names),
        recvSynced: () => {
          synced();
          this.#serving.begin();
        },
        metrics: this.#metrics,
        clock,
        random,
        logger: log.scope('xds'),
      },
    );
    this.#xds.start();
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
    // The other pods of its node are not a dedicated proxy's.
    if (this.#config.mode.kind === 'shared') this.#store.onChange((_snapshot, change) => identities.recvChange(change));
    return identities;
  }

  /** A proxy of one workload shares its search list with it. */
  #readResolver(): Pick<DataPlaneDeps, 'nameservers' | 'searchList'> {
    if (this.#config.dns === undefined) return { nameservers: [] };
    const { nameservers, search } = readResolver(resolverFile, this.#logger);
    return this.#config.mode.kind === 'dedicated' ? { nameservers, searchList: search } : { nameservers };
  }

  #recvPods({ kind, up, pending }: PodsChange): void {
    if (kind === 'started') this.#metrics.podStarted();
    if (kind === 'stopped') this.#metrics.podStopped();
    this.#metrics.pods(up, pending);
    this.#serving.recvPending(pending);
  }

  #reportCut(cut: readonly string[]): void {
    if (cut.length === 0) return;
    this.#logger.warn('drain deadline passed, open connections were cut', { count: cut.length });
    // Enough to see who held on; a storm of lines would delay the end.
    for (const connection of cut.slice(0, 100)) this.#logger.info('cut', { connection });
  }
}

/** Any will do, and the root directory is always there. */
function takeDescriptor(): void {
  closeSync(openSync('/', 'r'));
}

/** Section 5: without these rights every pod would fail later, one by one. A proxy of one workload that marks nothing needs none. */
function checkPrivileges({ mode, capture: { packetMark: mark } }: ZtunnelConfig): void {
  try {
    if (mode.kind === 'shared') NetworkNamespace.proveEntry();
    if (mark !== undefined) closeSync(outgoingSocket({ family: 4, mark }).fd);
  } catch (cause) {
    throw new MeshError('MESH-LINUX-001', {
      message: `cannot enter network namespaces or mark sockets: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    });
  }
}
