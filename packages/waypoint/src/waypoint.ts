/**
 * The waypoint without a process around it: what it is made of, the order it starts in, and how it ends.
 *
 *   start: readiness ─▶ stats ─▶ admin ─▶ control plane ── first sync, certificate, policies ──▶ HBONE listener ─▶ ready
 *   drain: listener and readiness go ─▶ GOAWAY, streams end ─▶ deadline: what is left is cut ─▶ everything else goes
 *
 * P1  Nobody is accepted before there is a configuration and a certificate: an early request would be refused for no reason.
 * P2  A control plane that is gone stops nothing: the last configuration and certificate serve on.
 */
import type net from 'node:net';
import { create } from '@bufbuild/protobuf';
import type { HttpEndpoint } from '@clearmesh/shared/admin/http-endpoint';
import { Readiness } from '@clearmesh/shared/admin/readiness';
import { startReadinessServer } from '@clearmesh/shared/admin/readiness-server';
import { startStatsServer } from '@clearmesh/shared/admin/stats-server';
import { CertificateMetrics } from '@clearmesh/shared/admin/certificate-metrics';
import { PeerTrust } from '@clearmesh/shared/certificates/peer-trust';
import { CertificateStore } from '@clearmesh/shared/certificates/certificate-store';
import { authorityOf } from '@clearmesh/shared/certificates/remote-authority';
import { readToken } from '@clearmesh/shared/discovery/credentials';
import { extraHeaders, nodeMetadata } from '@clearmesh/shared/discovery/node-metadata';
import { XdsClient } from '@clearmesh/shared/discovery/xds-client';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Environment } from '@clearmesh/shared/lifecycle/environment';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import { wildcardAddress } from '@clearmesh/shared/net/wildcard';
import type { FilteredLog } from '@clearmesh/shared/observe/log-filter';
import type { DeltaPush, Rejection } from '@clearmesh/shared/subscribe/delta-push';
import { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import { TunnelAcceptor } from '@clearmesh/shared/tunnel/acceptor';
import type { TunnelEngine } from '@clearmesh/shared/tunnel/engine';
import { createEngine } from '@clearmesh/shared/tunnel/engine-choice';
import { NodeSchema } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import type { Node } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import { ADDRESS_TYPE_URL, WAYPOINT_CONFIGURATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { listen } from './accept/hbone-front.ts';
import { startAdminServer } from './admin/admin-server.ts';
import type { WaypointConfig } from './config.ts';
import { DataPlane } from './data-plane.ts';
import { WaypointMetrics } from './telemetry/metrics/waypoint-metrics.ts';

export type WaypointDeps = {
  readonly env: Environment;
  readonly log: FilteredLog;
  readonly clock: Clock;
  readonly random: Random;
  /** POST /quitquitquit. */
  readonly onQuit: () => void;
};

export const waypointVersion = '0.1.0';

/** How long callers wait for policy engines to load at start, milliseconds; after that, each request says what is missing. */
const preparedWithinMs = 5_000;

/** A running waypoint. */
export class Waypoint {
  readonly #config: WaypointConfig;
  readonly #deps: WaypointDeps;
  readonly #logger: Logger;
  readonly #identity: SpiffeId;
  readonly #metrics: WaypointMetrics;
  readonly #snapshots: SnapshotStore;
  readonly #authority: ReturnType<typeof authorityOf>;
  readonly #certificates: CertificateStore;
  readonly #trust: PeerTrust;
  readonly #engine: TunnelEngine;
  readonly #plane: DataPlane;
  readonly #readiness = new Readiness();
  readonly #endpoints: { readonly readiness: HttpEndpoint[]; readonly others: HttpEndpoint[] } = { readiness: [], others: [] };
  readonly #stopped = new AbortController();
  #acceptor: TunnelAcceptor | undefined;
  #listener: net.Server | undefined;
  #xds: XdsClient | undefined;

  private constructor(config: WaypointConfig, deps: WaypointDeps, parts: Parts) {
    this.#config = config;
    this.#deps = deps;
    this.#logger = deps.log.scope('waypoint');
    this.#identity = parts.identity;
    this.#metrics = parts.metrics;
    this.#snapshots = parts.snapshots;
    this.#authority = parts.authority;
    this.#certificates = parts.certificates;
    this.#trust = parts.trust;
    this.#engine = parts.engine;
    this.#plane = parts.plane;
  }

  /** Starts everything; resolves once the servers of the operator listen. Callers follow when the control plane spoke. */
  static async start(config: WaypointConfig, deps: WaypointDeps): Promise<Waypoint> {
    const waypoint = new Waypoint(config, deps, await build(config, deps));
    await waypoint.#serveOperator();
    waypoint.#subscribe();
    return waypoint;
  }

  /** Stops accepting, waits up to `deadlineMs` for requests under way, and ends. */
  async drain(deadlineMs: number): Promise<void> {
    this.#logger.info('drain requested', { requests: this.#plane.active });
    this.#stopped.abort(new Error('the waypoint is draining'));
    await Promise.all(this.#endpoints.readiness.map((endpoint) => endpoint[Symbol.asyncDispose]()));
    this.#listener?.close();
    const cut = await this.#plane.drain(deadlineMs);
    if (cut > 0) this.#logger.warn('drain deadline passed, requests were cut', { count: cut });
    await this.#acceptor?.[Symbol.asyncDispose]();
    await this.#xds?.[Symbol.asyncDispose]();
    await this.#plane[Symbol.asyncDispose]();
    this.#certificates[Symbol.dispose]();
    this.#trust[Symbol.dispose]();
    this.#authority[Symbol.dispose]?.();
    await Promise.all(this.#endpoints.others.map((endpoint) => endpoint[Symbol.asyncDispose]()));
    this.#logger.info('shutdown complete');
  }

  async #serveOperator(): Promise<void> {
    const { log, onQuit: quit } = this.#deps;
    const { ports } = this.#config;
    const logger = log.scope('admin');
    const wildcard = wildcardAddress(this.#config);
    const readiness = { ips: [wildcard], port: ports.readiness };
    this.#endpoints.readiness.push(await startReadinessServer(readiness, { readiness: this.#readiness, logger }));
    const stats = { ips: [wildcard], port: ports.stats };
    this.#endpoints.others.push(await startStatsServer(stats, { registry: this.#metrics.registry, logger }));
    this.#endpoints.others.push(
      await startAdminServer(
        { ips: ['127.0.0.1'], port: ports.admin },
        { ...this.#plane.operatorView(), version: waypointVersion, log, quit, logger, options: () => optionsOf(this.#config) },
      ),
    );
  }

  #subscribe(): void {
    const { xds, authToken, clusterId, tls } = this.#config;
    const { env, log, clock, random } = this.#deps;
    const synced = this.#readiness.task('configuration');
    if (xds === undefined) return this.#logger.warn('XDS_ADDRESS is empty: without a control plane nothing is served');
    this.#xds = new XdsClient(
      {
        remote: { ...xds, tls, authToken, clusterId, headers: extraHeaders('XDS_HEADER_', env) },
        node: describeNode(this.#config, env),
        types: [ADDRESS_TYPE_URL, WAYPOINT_CONFIGURATION_TYPE_URL],
      },
      {
        apply: (push) => this.#apply(push),
        recvSynced: () => void this.#serveCallers().then(synced, (thrown: unknown) => this.#recvNotServing(thrown)),
        metrics: { xdsTerminated: () => {}, xdsReceived: () => {} },
        clock,
        random,
        logger: log.scope('xds'),
      },
    );
    this.#xds.start();
  }

  #apply(push: DeltaPush): readonly Rejection[] {
    return push.typeUrl === WAYPOINT_CONFIGURATION_TYPE_URL ? this.#plane.applyConfiguration(push) : this.#snapshots.apply(push);
  }

  /** P1. */
  async #serveCallers(): Promise<void> {
    const { clock, log } = this.#deps;
    await this.#certificates.get(this.#identity, this.#stopped.signal);
    await this.#plane.prepared(preparedWithinMs);
    const logger = log.scope('accept');
    const acceptor = new TunnelAcceptor(
      { identity: this.#identity, trustDomain: this.#config.trustDomain, maxHandshakesPerPeer: 512 },
      {
        engine: this.#engine,
        certificates: this.#certificates,
        drain: this.#plane.draining,
        onConnect: (incoming, peer) => this.#plane.recvConnect(incoming, peer),
        onFailure: ({ reason, error }) => logger.warn(error.message, { reason }),
        clock,
        logger,
      },
    );
    this.#acceptor = acceptor;
    const place = { port: this.#config.ports.hbone, host: wildcardAddress(this.#config) };
    this.#listener = await listen(place, (socket) => acceptor.accept(socket));
    this.#logger.info('serving', { port: this.#config.ports.hbone, identity: this.#identity });
  }

  #recvNotServing(thrown: unknown): void {
    if (this.#stopped.signal.aborted) return;
    this.#logger.error('the HBONE listener did not start', { error: thrown instanceof Error ? thrown.message : String(thrown) });
    this.#deps.onQuit();
  }
}

type Parts = {
  readonly identity: SpiffeId;
  readonly metrics: WaypointMetrics;
  readonly snapshots: SnapshotStore;
  readonly authority: ReturnType<typeof authorityOf>;
  readonly certificates: CertificateStore;
  readonly trust: PeerTrust;
  readonly engine: TunnelEngine;
  readonly plane: DataPlane;
};

async function build(config: WaypointConfig, deps: WaypointDeps): Promise<Parts> {
  const { clock, random, log, env } = deps;
  const { trustDomain, gateway, serviceAccount, clusterId, authToken, ca, tls } = config;
  const identity = spiffeId({ trustDomain, namespace: gateway.namespace, serviceAccount });
  const metrics = new WaypointMetrics({ version: waypointVersion }, { clock });
  const snapshots = new SnapshotStore({ clusterId }, { clock, logger: log.scope('xds') });
  const authority = authorityOf(
    { ca, clusterId, headers: extraHeaders('CA_HEADER_', env), tls },
    { readToken: () => readToken(authToken) },
  );
  const certificateMetrics = new CertificateMetrics({ registry: metrics.registry, clock });
  const trust = await PeerTrust.open(config.trust, { clock, logger: log.scope('ca'), metrics: certificateMetrics });
  const certificates = new CertificateStore(
    { validitySeconds: Math.floor(config.certificateTtlMs / 1000), tls },
    { authority, clock, random, logger: log.scope('ca'), trust },
  );
  certificateMetrics.observe({ certificates, trust });
  const engine = createEngine(config.tunnelEngine, { clock });
  const plane = await DataPlane.open(config, { engine, identity, snapshots, certificates, metrics, log, clock, random });
  return { identity, metrics, snapshots, authority, certificates, trust, engine, plane };
}

/** The Gateway's own service account proves which configuration may be asked for; the id only names the pod. */
function describeNode(
  { gateway, podName, instanceIp, nodeName, clusterId, serviceAccount }: WaypointConfig,
  env: Environment,
): Node {
  const { namespace } = gateway;
  return create(NodeSchema, {
    id: `waypoint~${instanceIp}~${podName}.${namespace}~${namespace}.svc.cluster.local`,
    metadata: {
      ...nodeMetadata(env),
      NAME: podName,
      NAMESPACE: namespace,
      SERVICE_ACCOUNT: serviceAccount,
      INSTANCE_IPS: instanceIp,
      NODE_NAME: nodeName,
      CLUSTER_ID: clusterId,
    },
  });
}

/** For the dump: no token, no key material. */
function optionsOf(config: WaypointConfig): Readonly<Record<string, string | number>> {
  const { gateway, podName, clusterId, trustDomain, terminationDeadlineMs, accessLogShare } = config;
  return {
    gateway: `${gateway.namespace}/${gateway.name}`,
    podName,
    clusterId,
    trustDomain,
    terminationDeadlineMs,
    accessLogShare,
  };
}
