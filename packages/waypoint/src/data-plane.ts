/**
 * The data plane of a waypoint: the stages and what they share. Beside waypoint.ts this is the only place that
 * constructs, so that a test or a bench can run a whole data plane without a process around it.
 *
 * D1  A configuration is compiled whole, then taken by every stage in one turn of the loop.
 * D2  A workload that vanished, or whose address or account changed, takes the connections to it along (design decision 7).
 */
import type { CertificateSource } from '@clearmesh/shared/certificates/workload-certificate';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { delay, settlesWithin } from '@clearmesh/shared/lifecycle/clock';
import { Drain } from '@clearmesh/shared/lifecycle/drain';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import { SnapshotWaits } from '@clearmesh/shared/snapshot/snapshot-waits';
import type { DeltaPush, Rejection } from '@clearmesh/shared/subscribe/delta-push';
import type { AcceptedPeer } from '@clearmesh/shared/tunnel/acceptor';
import type { IncomingConnect, TunnelEngine } from '@clearmesh/shared/tunnel/engine';
import { TunnelStreams } from './accept/hbone-front.ts';
import { HttpFront } from './accept/http-front.ts';
import type { HttpFrontDeps } from './accept/http-front.ts';
import type { WaypointConfig } from './config.ts';
import { EndpointFinder } from './forward/endpoints.ts';
import { dialTcp } from './forward/tcp-dial.ts';
import { operatorView } from './operator-view.ts';
import type { OperatorView } from './operator-view.ts';
import { ownWorkload } from './own-workload.ts';
import { PassageFront } from './passage/connect-front.ts';
import type { ConnectFront } from './passage/connect-front.ts';
import { Passage } from './passage/passage.ts';
import type { PassageDeps } from './passage/passage.ts';
import { Forwarding } from './path/forwarding.ts';
import { HttpPath } from './path/http-path.ts';
import { OpaquePath } from './path/opaque-path.ts';
import { compilePlan, emptyPlan } from './path/service-plan.ts';
import type { WaypointPlan } from './path/service-plan.ts';
import { stagesOf } from './stages.ts';
import type { Stages } from './stages.ts';
import { Upgrading, responseFor } from './path/upgrading.ts';
import { readDomainKey } from './shape/domain-key.ts';
import { Idempotency } from './shape/idempotency.ts';
import { RateLimiter } from './shape/rate-limit.ts';
import { redisNeedsOf } from './shape/redis-connections.ts';
import { News } from './snapshot/news.ts';
import { WaypointStore } from './snapshot/waypoint-store.ts';
import { AccessLog } from './telemetry/access/access-log.ts';
import { LineWriter, descriptorSink } from './telemetry/access/line-writer.ts';
import { registerGauges } from './telemetry/metrics/data-plane-gauges.ts';
import type { WaypointMetrics } from './telemetry/metrics/waypoint-metrics.ts';
import { startTracing } from './telemetry/tracing/start-tracing.ts';
import type { Tracing } from './telemetry/tracing/start-tracing.ts';

export type DataPlaneOptions = Pick<
  WaypointConfig,
  | 'gateway'
  | 'podName'
  | 'clusterId'
  | 'network'
  | 'trustDomain'
  | 'instanceIp'
  | 'tracing'
  | 'accessLogShare'
  | 'domainKeyFile'
  | 'opaWorkers'
  | 'networkGateway'
>;

export type DataPlaneDeps = {
  readonly identity: SpiffeId;
  readonly snapshots: SnapshotStore;
  readonly certificates: CertificateSource;
  /** Of the tunnels to endpoints. */
  readonly engine: TunnelEngine;
  readonly metrics: WaypointMetrics;
  readonly log: { scope(name: string): Logger };
  readonly clock: Clock;
  readonly random: Random;
  /** Takes lines of the access log. @default standard output */
  readonly writeAccessLine?: (line: string) => boolean;
};

const tickMs = 20;
/** How long callers that keep connections have to hear, with an answer, that theirs ends; milliseconds. */
const quietMs = 1_000;
/** Time for what was cut to store its outcome and write its line, milliseconds. */
const lastReportsMs = 1_000;
/** Time for the last spans, milliseconds. */
const lastSpansMs = 2_000;

export class DataPlane implements AsyncDisposable {
  readonly draining: Drain;
  readonly front: HttpFront;
  readonly #store: WaypointStore<WaypointPlan>;
  readonly #streams: ConnectFront;
  readonly #paths: Paths;
  readonly #prepared: () => Promise<void>;
  readonly #view: OperatorView;
  readonly #tracing: Tracing;
  readonly #clock: Clock;
  readonly #resources: AsyncDisposableStack;

  private constructor(parts: Parts) {
    this.draining = parts.draining;
    this.front = parts.front;
    this.#store = parts.store;
    this.#streams = parts.streams;
    this.#paths = parts.paths;
    this.#prepared = parts.prepared;
    this.#view = parts.view;
    this.#tracing = parts.tracing;
    this.#clock = parts.clock;
    this.#resources = parts.resources;
  }

  static async open(options: DataPlaneOptions, deps: DataPlaneDeps): Promise<DataPlane> {
    await using resources = new AsyncDisposableStack();
    const parts = await build(options, deps, resources);
    return new DataPlane({ ...parts, resources: resources.move() });
  }

  /** Requests and streams under way. */
  get active(): number {
    const { http, opaque } = this.#paths;
    return http.active + opaque.active;
  }

  get plan(): WaypointPlan {
    return this.#store.current;
  }

  applyConfiguration(push: DeltaPush): readonly Rejection[] {
    return this.#store.apply(push);
  }

  /** Settles once every policy engine that is named has loaded, has failed to, or `withinMs` passed. */
  async prepared(withinMs: number): Promise<void> {
    await settlesWithin(this.#clock, withinMs, this.#prepared());
  }

  recvConnect(incoming: IncomingConnect, peer: AcceptedPeer): void {
    this.#streams.recvConnect(incoming, peer);
  }

  operatorView(): OperatorView {
    return this.#view;
  }

  /**
   * Waits up to `deadlineMs` for what is under way, then cuts it; gives how much was cut.
   *
   *   GOAWAY, answers say "connection: close" ─▶ 1 s, or a fifth of the deadline ─▶ connections at rest end ─▶ all ended
   *
   * Ended at once, a connection at rest would take with it the request that is on its way (RFC 9112 section 9.5).
   */
  async drain(deadlineMs: number): Promise<number> {
    const startMs = this.#clock.monotonicMs();
    const quietEndMs = startMs + Math.min(quietMs, deadlineMs / 5);
    const forever = new AbortController().signal;
    let cut = 0;
    // Held to the end: a drain with nothing to wait for is over at once, and can no longer be forced.
    this.draining.hold('requests and streams');
    this.draining.forced.addEventListener('abort', () => (cut = this.active), { once: true });
    this.draining.begin(deadlineMs);
    this.front.drain();
    while (this.#streams.open > 0 && this.#clock.monotonicMs() < startMs + deadlineMs) {
      await delay(this.#clock, tickMs, forever);
      if (this.#clock.monotonicMs() >= quietEndMs) this.front.closeIdle();
    }
    this.draining.force();
    const reportedMs = this.#clock.monotonicMs() + lastReportsMs;
    while (this.active > 0 && this.#clock.monotonicMs() < reportedMs) await delay(this.#clock, tickMs, forever);
    await this.#tracing.shutdown(lastSpansMs);
    return cut;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.draining.force();
    return this.#resources.disposeAsync();
  }
}

type Parts = {
  readonly draining: Drain;
  readonly front: HttpFront;
  readonly store: WaypointStore<WaypointPlan>;
  readonly streams: ConnectFront;
  readonly paths: Paths;
  readonly prepared: () => Promise<void>;
  readonly view: OperatorView;
  readonly tracing: Tracing;
  readonly clock: Clock;
  readonly resources: AsyncDisposableStack;
};

async function build(
  options: DataPlaneOptions,
  deps: DataPlaneDeps,
  resources: AsyncDisposableStack,
): Promise<Omit<Parts, 'resources'>> {
  const { clock, log, metrics } = deps;
  const draining = new Drain({ clock });
  const tracing = resources.use(await startTracing(options.tracing, { ...deps, logger: log.scope('trace') }));
  const stages = stagesOf(options, deps, resources);
  const news = new News(deps.snapshots);
  const store = storeOf(options, deps, stages, news);
  const accessLog = accessLogOf(options, deps);
  const paths = pathsOf(options, deps, { ...stages, draining, tracing, accessLog, plan: () => store.current });
  const front = resources.use(await HttpFront.open({}, frontDeps(paths, log.scope('accept'))));
  const onRefused = (reason: string, peer: AcceptedPeer): void => {
    metrics.denied({ reason: 'no-route', flag: 'NR' });
    log.scope('accept').warn(`CONNECT refused: ${reason}`, { 'src.identity': peer.identity });
  };
  const waypoint = new TunnelStreams(
    { network: options.network },
    {
      snapshots: deps.snapshots,
      bindings: () => store.current,
      waits: new SnapshotWaits({}, { snapshots: news, clock }),
      front,
      opaque: (stream, conversation) => paths.opaque.serve(stream, conversation),
      onRefused,
      clock,
      logger: log.scope('accept'),
    },
  );
  const streams = frontOf(waypoint, options, deps, { onRefused, forced: draining.forced });
  registerGauges(metrics, { backends: stages.backends, tracing, accessLog });
  const prepared = () => stages.authorisers.started();
  return { draining, front, store, streams, paths, prepared, view: operatorView({ store, ...stages }), tracing, clock };
}

/** Callers of other networks come by hostname, if at all. */
function frontOf(
  waypoint: ConnectFront,
  options: DataPlaneOptions,
  deps: DataPlaneDeps,
  parts: Pick<PassageDeps, 'onRefused' | 'forced'>,
): ConnectFront {
  if (!options.networkGateway) return waypoint;
  const own = ownWorkload(options, deps);
  const passage = new Passage({}, { ...deps, ...parts, own, connect: dialTcp, logger: deps.log.scope('access') });
  return new PassageFront(passage, waypoint);
}

/** D1. */
function storeOf(
  { gateway }: DataPlaneOptions,
  { metrics, clock, log }: DataPlaneDeps,
  stages: Stages,
  news: News,
): WaypointStore<WaypointPlan> {
  const logger = log.scope('config');
  return new WaypointStore<WaypointPlan>(
    { ...gateway, empty: emptyPlan(gateway) },
    {
      compile: compilePlan,
      onChange: (plan) => {
        const { configuration, warnings } = plan;
        stages.backends.retain((backend, route) => plan.leadsTo(backend, route));
        stages.authorisers.apply(configuration);
        stages.redis.retain(redisNeedsOf(configuration.policies));
        stages.faults.keepOnly(new Set(Object.keys(configuration.policies.faults)));
        for (const warning of warnings) logger.warn(warning);
        news.recvConfiguration();
      },
      metrics,
      clock,
      logger,
    },
  );
}

type PathParts = Stages & {
  readonly draining: Drain;
  readonly tracing: Tracing;
  readonly accessLog: AccessLog;
  readonly plan: () => WaypointPlan;
};

type Paths = { readonly http: HttpPath; readonly opaque: OpaquePath; readonly upgrading: Upgrading };

function pathsOf(options: DataPlaneOptions, deps: DataPlaneDeps, parts: PathParts): Paths {
  const { gateway, network, domainKeyFile } = options;
  const { redis, draining, tracing } = parts;
  const forced = draining.forced;
  const idempotency = new Idempotency({ domain: gateway.namespace, ...readDomainKey(domainKeyFile) }, { ...deps, redis });
  const shared = {
    ...deps,
    ...parts,
    network,
    tracer: tracing.tracer,
    own: ownWorkload(options, deps),
    finder: new EndpointFinder(),
    idempotency,
    forced,
  };
  const http = new HttpPath({
    ...shared,
    limiter: new RateLimiter({}, { ...deps, redis }),
    forwarding: new Forwarding(shared),
    logger: deps.log.scope('path'),
    isDraining: () => draining.draining.aborted,
  });
  return { http, opaque: new OpaquePath(shared), upgrading: new Upgrading(shared) };
}

function frontDeps({ http, upgrading }: Paths, logger: Logger): HttpFrontDeps {
  return {
    onRequest: (request, response, conversation) => http.serve(request, response, conversation),
    onUpgrade: (request, stream, head, conversation) =>
      http.serve(request, responseFor(request, stream), conversation, upgrading.of(request, stream, head)),
    onRefused: (conversation, reason) =>
      logger.warn('a request could not be read', { reason, service: conversation?.called.key }),
  };
}

function accessLogOf({ accessLogShare }: DataPlaneOptions, { clock, random, writeAccessLine }: DataPlaneDeps): AccessLog {
  const writer = new LineWriter({}, { sink: descriptorSink(1), clock });
  return new AccessLog({ successShare: accessLogShare }, { random, write: writeAccessLine ?? ((line) => writer.write(line)) });
}
