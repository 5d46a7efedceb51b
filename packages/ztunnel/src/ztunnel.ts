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
import { registerSpanMetrics, startSpans } from './start-spans.ts';
import type { Spans } from './start-spans.ts';
import { registerLoadMetrics } from './admin/load-metrics.ts';
import { Metrics } from './admin/metrics.ts';
import { Readiness } from '@clearmesh/shared/admin/readiness';
import { CertificateMetrics } from '@clearmesh/shared/admin/certificate-metrics';
import { AcceptHealth } from './capture/accept-health.ts';
import { LocalIdentities } from './capture/local-identities.ts';
import type { PodsChange } from './capture/pods.ts';
import { CertificateStore } from '@clearmesh/shared/certificates/certificate-store';
import type { CertificateAuthority } from '@clearmesh/shared/certificates/certificate-authority';
import { PeerTrust } from '@clearmesh/shared/certificates/peer-trust';
import type { ZtunnelConfig } from './config.ts';
import { DataPlane } from './data-plane.ts';
import type { DataPlaneDeps } from './data-plane.ts';
import { readResolver } from './dns/nameservers.ts';
import { MeshSource } from './mesh-source.ts';
import { OwnPorts } from './own-ports.ts';
import { createServing } from './serving.ts';
import type { Serving } from './serving.ts';
import type { Environment } from '@clearmesh/shared/lifecycle/environment';
import type { FilteredLog } from '@clearmesh/shared/observe/log-filter';
import { createEngine } from '@clearmesh/shared/tunnel/engine-choice';
import { openAuthority } from './open-authority.ts';

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

const resolverFile = '/etc/resolv.conf';

/** A running node proxy. */
export class Ztunnel {
  readonly #config: ZtunnelConfig;
  readonly #deps: ZtunnelDeps;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #source: MeshSource;
  readonly #authority: Parts['authority'];
  readonly #certificates: CertificateStore;
  readonly #trust: PeerTrust;
  readonly #spans: Spans;
  readonly #plane: DataPlane;
  readonly #accepts: AcceptHealth;
  readonly #serving: Serving;
  readonly #readiness = new Readiness();
  #ports: OwnPorts | undefined;

  private constructor(config: ZtunnelConfig, deps: ZtunnelDeps, { metrics, trust, authority, spans }: Parts) {
    const { clock, random, log } = deps;
    this.#config = config;
    this.#deps = deps;
    this.#logger = log.scope('ztunnel');
    this.#metrics = metrics;
    this.#trust = trust;
    this.#spans = spans;
    this.#source = new MeshSource(config, { ...deps, metrics });
    this.#authority = authority;
    this.#certificates = new CertificateStore(
      { validitySeconds: Math.floor(config.certificateTtlMs / 1000), tls: config.tls },
      { authority: this.#authority, clock, random, logger: log.scope('ca'), trust },
    );
    const identities = this.#followLocalIdentities();
    this.#plane = new DataPlane(config, {
      ...deps,
      store: this.#source.store,
      onDemand: this.#source.onDemand,
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
    await ztunnel.#learn();
    return ztunnel;
  }

  /** Stops accepting, waits up to `deadlineMs` for what is open, cuts the rest, and tells the log what was cut. */
  async drain(deadlineMs: number): Promise<void> {
    this.#logger.info('drain requested', { pods: this.#plane.pods.upCount, deadline_ms: deadlineMs });
    this.#accepts[Symbol.dispose]();
    await Promise.all([this.#serving.end(), this.#ports?.closeReadiness()]);
    this.#reportCut(await this.#plane.drain(deadlineMs));
    await Promise.all([this.#spans.shutdown(), this.#source[Symbol.asyncDispose]()]);
    this.#plane[Symbol.dispose]();
    this.#certificates[Symbol.dispose]();
    this.#trust[Symbol.dispose]();
    this.#authority[Symbol.dispose]?.();
    await this.#ports?.[Symbol.asyncDispose]();
    this.#logger.info('shutdown complete');
  }

  async #listen(): Promise<void> {
    const { log, clock, onQuit: quit } = this.#deps;
    this.#ports = await OwnPorts.listen(this.#config, {
      readiness: this.#readiness,
      metrics: this.#metrics,
      store: this.#source.store,
      certificates: this.#certificates,
      pods: this.#plane.pods,
      version: ztunnelVersion,
      log,
      clock,
      quit,
    });
  }

  async #learn(): Promise<void> {
    const synced = this.#readiness.task('state manager');
    await this.#source.begin(() => {
      synced();
      this.#serving.begin();
    });
  }

  #followLocalIdentities(): LocalIdentities {
    const identities = new LocalIdentities(
      { node: this.#config.node.name },
      { want: (identity) => this.#certificates.prefetch(identity), forget: (identity) => this.#certificates.forget(identity) },
    );
    // The other pods of its node are not a dedicated proxy's.
    if (this.#config.mode.kind === 'shared') this.#source.store.onChange((_snapshot, change) => identities.recvChange(change));
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
