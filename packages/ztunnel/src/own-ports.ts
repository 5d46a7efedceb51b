/**
 * The ports of the process itself (l4-contract sections 1 and 11): readiness, stats, admin. Readiness goes first when the proxy
 * drains; the others tell what happens until everything else has gone.
 */
import type { HttpEndpoint } from '@clearmesh/shared/admin/http-endpoint';
import type { Readiness } from '@clearmesh/shared/admin/readiness';
import { startReadinessServer } from '@clearmesh/shared/admin/readiness-server';
import { startStatsServer } from '@clearmesh/shared/admin/stats-server';
import type { CertificateStore } from '@clearmesh/shared/certificates/certificate-store';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { wildcardAddress } from '@clearmesh/shared/net/wildcard';
import type { FilteredLog } from '@clearmesh/shared/observe/log-filter';
import type { SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import { configView, workloadStateView } from './admin-view.ts';
import type { DumpedPod } from './admin-view.ts';
import { startAdminServer } from './admin/admin-server.ts';
import type { Metrics } from './admin/metrics.ts';
import type { PodState } from './capture/pods.ts';
import type { ZtunnelConfig } from './config.ts';
import { podsView } from './pod-status.ts';
import type { PodFacts } from './pod-status.ts';

export type OwnPortsDeps = {
  readonly readiness: Readiness;
  readonly metrics: Pick<Metrics, 'registry'>;
  readonly store: SnapshotSource;
  readonly certificates: Pick<CertificateStore, 'list'>;
  readonly pods: { states(): Iterable<PodState<DumpedPod>> };
  readonly version: string;
  readonly log: FilteredLog;
  readonly clock: Clock;
  /** POST /quitquitquit. */
  readonly quit: () => void;
};

/** Of the process itself (l4-contract section 1); no option has it. */
const readinessPort = 15_021;

export class OwnPorts implements AsyncDisposable {
  readonly #readiness: HttpEndpoint;
  readonly #others: readonly HttpEndpoint[];

  private constructor(readiness: HttpEndpoint, others: readonly HttpEndpoint[]) {
    this.#readiness = readiness;
    this.#others = others;
  }

  /** Resolves once all ports listen. */
  static async listen(config: ZtunnelConfig, deps: OwnPortsDeps): Promise<OwnPorts> {
    const logger = deps.log.scope('admin');
    const ips = [wildcardAddress(config.capture)];
    const readiness = await startReadinessServer({ ips, port: readinessPort }, { readiness: deps.readiness, logger });
    const stats = await startStatsServer({ ips, port: config.ports.stats }, { registry: deps.metrics.registry, logger });
    return new OwnPorts(readiness, [stats, await startAdmin(config, deps)]);
  }

  /** Nothing new is sent here from now on. */
  async closeReadiness(): Promise<void> {
    await this.#readiness[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#readiness, ...this.#others].map((endpoint) => endpoint[Symbol.asyncDispose]()));
  }
}

function startAdmin(config: ZtunnelConfig, deps: OwnPortsDeps): Promise<HttpEndpoint> {
  const { store, certificates, pods, version, log, clock, quit } = deps;
  const facts = (): PodFacts => ({
    certificates: certificates.list(),
    workloadOf: ({ namespace, name, serviceAccount }) => store.current.workloadByPod(namespace, name, serviceAccount)?.uid,
  });
  return startAdminServer(
    { ips: ['127.0.0.1', '::1'], port: config.ports.admin },
    {
      snapshot: () => store.current,
      certificates: () => certificates.list(),
      pods: () => podsView(pods.states(), facts()),
      workloadState: () => workloadStateView(pods.states(), facts()),
      config: () => configView(config),
      version,
      log,
      clock,
      quit,
      logger: log.scope('admin'),
    },
  );
}
