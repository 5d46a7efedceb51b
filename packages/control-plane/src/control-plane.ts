/**
 * The control plane put together: the one place that constructs (apart from main.ts, which reads the command line).
 *
 *   source ─▶ configuration (derive) ─▶ publisher ─▶ discovery ─┐
 *                     ├ pods ─▶ authority ─▶ certificates ──────┴─ one TLS port      admin: readiness, metrics
 *                     └ reporter ─▶ status file   (hears waypoints from discovery)
 */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { AdminServer } from './admin/admin-server.ts';
import { createMetrics } from './admin/control-plane-metrics.ts';
import { Authenticator } from './certify/authenticator.ts';
import { CertificateAuthority } from './certify/certificate-authority.ts';
import { CertificateService } from './certify/certificate-service.ts';
import { openRoot } from './certify/root-store.ts';
import { ServerCertificate } from './certify/server-certificate.ts';
import { TokenKeys } from './certify/token-keys.ts';
import { Configuration } from './configuration.ts';
import { defaultDeriveOptions } from './derive/options.ts';
import { grpcHandler } from './listen/grpc-handler.ts';
import { SecureServer } from './listen/secure-server.ts';
import { DiscoveryService } from './publish/discovery-service.ts';
import { Publisher } from './publish/publisher.ts';
import { Reporter } from './report/reporter.ts';
import { StatusWriter } from './report/status-writer.ts';
import { DirectorySource } from './watch/directory-source.ts';
import type { AltName } from './certify/leaf.ts';
import type { DeriveOptions } from './derive/options.ts';
import type { ControlPlaneMetrics } from './admin/control-plane-metrics.ts';
import type { RootAuthority } from './certify/root-authority.ts';

export type ControlPlaneOptions = {
  /** Manifests; every *.yaml and *.yml below it. */
  readonly directory: string;
  /** What kubelet and node agent know of pods. @default none */
  readonly statusFile?: string;
  /** Where the status of objects is written, replaced by rename. @default nowhere */
  readonly statusOut?: string;
  /** Holds the root certificate and its key. */
  readonly stateDirectory: string;
  readonly listen: SocketAddress;
  /** JWKS file. */
  readonly tokenKeys: string;
  readonly clusterId: string;
  readonly trustDomain: string;
  readonly rootNamespace: string;
  readonly defaultMtls: 'STRICT' | 'PERMISSIVE';
  readonly requirePermissiveExpiry: boolean;
  /** `namespace/account`. */
  readonly trustedNodeAccounts: readonly string[];
  /** @default none */
  readonly admin?: SocketAddress;
};

export type ControlPlaneDeps = { readonly clock: Clock; readonly random: Random; readonly logger: Logger };

export class ControlPlane implements AsyncDisposable {
  readonly #resources: AsyncDisposableStack;
  readonly #server: SecureServer;
  readonly #draining: AbortController;
  readonly #logger: Logger;
  /** Where the TLS port listens. */
  readonly address: SocketAddress;
  /** Where readiness and metrics are. */
  readonly adminAddress: SocketAddress | undefined;

  private constructor(parts: Parts, logger: Logger) {
    this.#resources = parts.resources;
    this.#server = parts.server;
    this.#draining = parts.draining;
    this.#logger = logger;
    this.address = parts.server.address;
    this.adminAddress = parts.admin?.address;
  }

  /** Serves when it resolves; a configuration that is rejected at the start keeps it waiting, not failing. */
  static async start(options: ControlPlaneOptions, deps: ControlPlaneDeps, signal: AbortSignal): Promise<ControlPlane> {
    await using resources = new AsyncDisposableStack();
    const parts = await build(options, deps, resources, signal);
    await parts.source.start();
    const { model } = parts.configuration;
    deps.logger.info('control plane serves', {
      listen: formatSocketAddress(parts.server.address),
      admin: parts.admin === undefined ? undefined : formatSocketAddress(parts.admin.address),
      directory: options.directory,
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
  readonly source: DirectorySource;
  readonly configuration: Configuration;
  readonly server: SecureServer;
  readonly admin: AdminServer | undefined;
  readonly draining: AbortController;
};

type Wiring = {
  readonly options: ControlPlaneOptions;
  readonly deps: ControlPlaneDeps;
  readonly metrics: ControlPlaneMetrics;
  readonly resources: AsyncDisposableStack;
  readonly draining: AbortController;
  readonly signal: AbortSignal;
};

async function build(
  options: ControlPlaneOptions,
  deps: ControlPlaneDeps,
  resources: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Parts> {
  const draining = new AbortController();
  const wiring: Wiring = { options, deps, metrics: createMetrics(), resources, draining, signal };
  const publisher = resources.use(new Publisher({}, deps));
  const derivation = derivationOf(options);
  const reporter = await reporterOf(wiring, derivation);
  const configuration = resources.use(configurationOf(wiring, publisher, derivation, reporter));
  const source = await sourceOf(wiring, configuration);
  const server = await serverOf(wiring, publisher, configuration, reporter);
  const admin = await adminOf(wiring, configuration);
  return { resources, source, configuration, server, admin, draining };
}

function derivationOf(options: ControlPlaneOptions): DeriveOptions {
  const { clusterId, trustDomain, rootNamespace, defaultMtls, requirePermissiveExpiry } = options;
  return { ...defaultDeriveOptions, clusterId, trustDomain, rootNamespace, defaultMtls, requirePermissiveExpiry };
}

async function reporterOf({ options, deps, resources }: Wiring, derivation: DeriveOptions): Promise<Reporter | undefined> {
  if (options.statusOut === undefined) return undefined;
  const writer = resources.use(await StatusWriter.open(options.statusOut, { logger: deps.logger.scope('status') }));
  return new Reporter(derivation, { write: (report) => writer.write(report) });
}

function configurationOf(
  { deps, metrics }: Wiring,
  publisher: Publisher,
  derivation: DeriveOptions,
  reporter: Reporter | undefined,
): Configuration {
  const { clock, logger } = deps;
  const told = reporter === undefined ? {} : { reporter };
  return new Configuration(derivation, { publisher, metrics, clock, logger: logger.scope('config'), ...told });
}

async function sourceOf({ options, deps, resources, signal }: Wiring, configuration: Configuration): Promise<DirectorySource> {
  const { directory, statusFile, requirePermissiveExpiry, rootNamespace } = options;
  const source = await DirectorySource.open(
    { directory, ...(statusFile === undefined ? {} : { statusFile }), rules: { requirePermissiveExpiry, rootNamespace } },
    { clock: deps.clock, logger: deps.logger.scope('config') },
    signal,
  );
  source.onEvent((event) => configuration.recvEvent(event));
  return resources.use(source);
}

async function serverOf(
  wiring: Wiring,
  published: Publisher,
  configuration: Configuration,
  reporter: Reporter | undefined,
): Promise<SecureServer> {
  const { options, deps, metrics, resources, draining, signal } = wiring;
  const { clock, logger } = deps;
  const root = await openRoot({ stateDirectory: options.stateDirectory, trustDomain: options.trustDomain }, deps);
  metrics.rootExpiry.set(Math.floor(root.certificate.notAfter.getTime() / 1000));
  const keys = await TokenKeys.open(options.tokenKeys, { logger: logger.scope('ca') });
  const authenticator = new Authenticator({}, { keys, clock });
  const discovery = {
    published,
    metrics,
    clock,
    logger: logger.scope('xds'),
    draining: draining.signal,
    ...(reporter === undefined ? {} : { waypoints: reporter }),
  };
  const handler = grpcHandler({
    authenticate: (header) => authenticator.authenticate(header),
    discovery: new DiscoveryService({}, discovery),
    certificates: certificatesOf(wiring, root, configuration),
    metrics,
    logger: logger.scope('grpc'),
  });
  const certificate = resources.use(
    await ServerCertificate.issue({ names: serverNames(options) }, { root, clock, logger: logger.scope('ca') }),
  );
  const listening = { credentials: certificate.credentials, handler, clock, logger: logger.scope('grpc') };
  const server = resources.use(await SecureServer.listen({ listen: options.listen }, listening, signal));
  certificate.onRenewed((renewed) => server.renew(renewed));
  return server;
}

function certificatesOf(
  { options, deps, metrics }: Wiring,
  root: RootAuthority,
  configuration: Configuration,
): CertificateService {
  const authority = new CertificateAuthority(
    { trustDomain: options.trustDomain, trustedNodeAccounts: new Set(options.trustedNodeAccounts) },
    { root, clock: deps.clock, pods: () => configuration.pods },
  );
  const configured = (): boolean => configuration.model !== undefined;
  return new CertificateService({}, { authority, configured, metrics, logger: deps.logger.scope('ca') });
}

/** The Service's name in a cluster, and what a process beside it would dial. */
function serverNames({ rootNamespace, listen }: ControlPlaneOptions): readonly [AltName, ...AltName[]] {
  const wildcard = listen.ip === '0.0.0.0' || listen.ip === '::';
  return [
    { type: 'dns', value: `clearmesh-control-plane.${rootNamespace}.svc` },
    { type: 'dns', value: 'localhost' },
    ...(wildcard ? [] : [{ type: 'ip', value: listen.ip } as const]),
  ];
}

async function adminOf(
  { options, metrics, resources, draining, signal }: Wiring,
  configuration: Configuration,
): Promise<AdminServer | undefined> {
  if (options.admin === undefined) return undefined;
  const notReady = (): string | undefined => {
    if (draining.signal.aborted) return 'draining';
    return configuration.model === undefined ? 'no valid configuration yet' : undefined;
  };
  return resources.use(await AdminServer.listen(options.admin, { notReady, metrics: metrics.registry }, signal));
}
