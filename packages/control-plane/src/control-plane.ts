/**
 * The control plane put together: the one place that constructs, with wiring/ (apart from main.ts, which reads the command
 * line).
 *
 *   source ─▶ configuration (derive) ─▶ publisher ─▶ discovery ─┐
 *                     ├ pods ─▶ authority ─▶ certificates ──────┴─ one TLS port      admin: readiness, metrics, status
 *                     └ reporter ─▶ statuses   (hears waypoints from discovery)
 *
 * Source, callers, root and statuses are files (wiring/directory-surroundings.ts), or objects of the Kubernetes API
 * (wiring/cluster-surroundings.ts).
 */
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { AdminServer } from './admin/admin-server.ts';
import { createMetrics } from './admin/control-plane-metrics.ts';
import { Configuration } from './configuration.ts';
import { defaultDeriveOptions } from './derive/options.ts';
import { Publisher } from './publish/publisher.ts';
import { Reporter } from './report/reporter.ts';
import { clusterSurroundings } from './wiring/cluster-surroundings.ts';
import { directorySurroundings } from './wiring/directory-surroundings.ts';
import { listenForProxies } from './wiring/proxies-port.ts';
import { listenForReviews } from './wiring/webhook-port.ts';
import type { DeriveOptions } from './derive/options.ts';
import type { SecureServer } from './listen/secure-server.ts';
import type { StatusReport } from './report/status-report.ts';
import type { ControlPlaneOptions } from './wiring/options.ts';
import type { ControlPlaneDeps, Surroundings, Wiring } from './wiring/parts.ts';

export class ControlPlane implements AsyncDisposable {
  readonly #resources: AsyncDisposableStack;
  readonly #server: SecureServer;
  readonly #draining: AbortController;
  readonly #logger: Logger;
  /** Where the TLS port listens. */
  readonly address: SocketAddress;
  /** Where the API server asks. */
  readonly webhookAddress: SocketAddress | undefined;
  /** Where readiness and metrics are. */
  readonly adminAddress: SocketAddress | undefined;

  private constructor(parts: Parts, logger: Logger) {
    this.#resources = parts.resources;
    this.#server = parts.server;
    this.#draining = parts.draining;
    this.#logger = logger;
    this.address = parts.server.address;
    this.webhookAddress = parts.webhook;
    this.adminAddress = parts.admin?.address;
  }

  /** Serves when it resolves; a configuration that is rejected or missing at the start keeps it waiting, not failing. */
  static async start(options: ControlPlaneOptions, deps: ControlPlaneDeps, signal: AbortSignal): Promise<ControlPlane> {
    await using resources = new AsyncDisposableStack();
    const parts = await build({ options, deps, metrics: createMetrics(), resources, draining: new AbortController(), signal });
    await parts.surroundings.source.start();
    const { model } = parts.configuration;
    deps.logger.info('control plane serves', {
      listen: formatSocketAddress(parts.server.address),
      admin: parts.admin === undefined ? undefined : formatSocketAddress(parts.admin.address),
      source: parts.surroundings.name,
      configured: model !== undefined,
      workloads: model?.workloads.length ?? 0,
      services: model?.services.length ?? 0,
      policies: model?.policies.length ?? 0,
    });
    return new ControlPlane({ ...parts, resources: resources.move() }, deps.logger);
  }

  /** Ends streams and accepts nothing more; resolves when every connection ended by itself. */
  async drain(): Promise<void> {
    this.#logger.info('draining');
    this.#draining.abort();
    await this.#server.drain();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#draining.abort();
    await this.#resources.disposeAsync();
  }
}

type Parts = {
  readonly resources: AsyncDisposableStack;
  readonly surroundings: Surroundings;
  readonly configuration: Configuration;
  readonly server: SecureServer;
  readonly webhook: SocketAddress | undefined;
  readonly admin: AdminServer | undefined;
  readonly draining: AbortController;
};

async function build(wiring: Wiring): Promise<Parts> {
  const { options, deps, metrics, resources, draining } = wiring;
  const { clock, logger } = deps;
  const surroundings = await surroundingsOf(wiring);
  const published = resources.use(new Publisher({}, { clock }));
  const derivation = derivationOf(options);
  const reports: { last?: StatusReport } = {};
  const reporter = reporterOf(surroundings, derivation, reports);
  const configuration = resources.use(
    new Configuration(derivation, {
      publisher: published,
      metrics,
      clock,
      logger: logger.scope('config'),
      ...(reporter === undefined ? {} : { reporter }),
      ...(surroundings.onConfiguration === undefined ? {} : { onConfiguration: surroundings.onConfiguration }),
    }),
  );
  if (reporter !== undefined) surroundings.onInvalidParameters?.((invalid) => reporter.recvInvalidParameters(invalid));
  surroundings.source.onEvent((event) => configuration.recvEvent(event));
  const server = await listenForProxies(wiring, { published, configuration, reporter, surroundings });
  const { setting } = wiring.options;
  const reviewing = setting.kind === 'kubernetes' ? setting.webhook : undefined;
  const webhook = reviewing === undefined ? undefined : await listenForReviews(wiring, reviewing, surroundings.root);
  const admin = await adminOf(wiring, surroundings, configuration, reports);
  return { resources, surroundings, configuration, server, webhook, admin, draining };
}

function surroundingsOf(wiring: Wiring): Promise<Surroundings> {
  const { setting } = wiring.options;
  return setting.kind === 'directory'
    ? directorySurroundings({ ...wiring, options: { ...wiring.options, setting } })
    : clusterSurroundings({ ...wiring, options: { ...wiring.options, setting } });
}

function derivationOf(options: ControlPlaneOptions): DeriveOptions {
  const { clusterId, trustDomain, network = '', rootNamespace, defaultMtls, requirePermissiveExpiry } = options;
  return { ...defaultDeriveOptions, clusterId, trustDomain, network, rootNamespace, defaultMtls, requirePermissiveExpiry };
}

function reporterOf({ write }: Surroundings, derivation: DeriveOptions, reports: { last?: StatusReport }): Reporter | undefined {
  if (write === undefined) return undefined;
  return new Reporter(derivation, {
    write: (report) => {
      reports.last = report;
      write(report);
    },
  });
}

async function adminOf(
  { options, metrics, resources, draining, signal }: Wiring,
  { source, describe }: Surroundings,
  configuration: Configuration,
  reports: { readonly last?: StatusReport },
): Promise<AdminServer | undefined> {
  if (options.admin === undefined) return undefined;
  const notReady = (): string | undefined => {
    if (draining.signal.aborted) return 'draining';
    if (configuration.model !== undefined) return undefined;
    const { waitsFor } = source;
    return `no valid configuration yet${waitsFor === undefined ? '' : `; waiting for ${waitsFor}`}`;
  };
  const status = (): unknown => ({ ...(describe?.() as object | undefined), report: reports.last });
  return resources.use(await AdminServer.listen(options.admin, { notReady, status, metrics: metrics.registry }, signal));
}
