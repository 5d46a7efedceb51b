/**
 * A whole waypoint on loopback: callers dial it through HBONE, and it dials its endpoints through proxies that stand for
 * their ztunnels. Real in every part but the control plane, whose pushes the test makes.
 */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import type { WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { relay } from '@clearmesh/shared/net/relay';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import { ip, service, workload } from '@clearmesh/shared/testing/builders';
import { addressPush } from '@clearmesh/shared/testing/pushes';
import { TestCertificates } from '@clearmesh/shared/testing/test-certificates';
import { TunnelAcceptor } from '@clearmesh/shared/tunnel/acceptor';
import { FramedEngine } from '@clearmesh/shared/tunnel/framed-engine';
import { PooledDialer } from '@clearmesh/shared/tunnel/pooled-dialer';
import { encodeWaypointConfiguration } from '@clearmesh/shared/wire/waypoint-configuration';
import { WAYPOINT_CONFIGURATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { listen } from '../src/accept/hbone-front.ts';
import { DataPlane } from '../src/data-plane.ts';
import type { DataPlaneOptions } from '../src/data-plane.ts';
import { WaypointMetrics } from '../src/telemetry/metrics/waypoint-metrics.ts';
import { boundService } from './bound-service.ts';
import { openEndpointProxy } from './endpoint-proxy.ts';
import type { Asked } from './endpoint-proxy.ts';

const vip = '10.96.0.20';
export const ledger: Service = service({
  name: 'ledger',
  namespace: 'ledger',
  addresses: [vip],
  ports: [{ servicePort: 8080, targetPort: 8080, appProtocol: 'HTTP11' }],
});
export const payments: SpiffeId = identityOf('payments', 'payments');
export const analytics: SpiffeId = identityOf('customer-analytics', 'analytics');
const waypointIdentity = identityOf('ledger', 'ledger-waypoint');
/** Of this process alone, so that several may run side by side. */
const subnet = `127.${100 + ((process.pid >> 8) % 100)}.${process.pid & 255}`;
const callerIp = `${subnet}.1`;
const waypointIp = `${subnet}.9`;

export type Log = Readonly<Record<string, unknown>>;
export type Answer = { readonly status: number; readonly headers: http.IncomingHttpHeaders; readonly body: string };

export class WaypointBed implements AsyncDisposable {
  readonly log: Log[] = [];
  readonly asked: Asked[] = [];
  readonly metrics: WaypointMetrics = new WaypointMetrics({ version: 'test' }, { clock: systemClock });
  readonly snapshots: SnapshotStore = new SnapshotStore(
    { clusterId: 'Kubernetes' },
    { clock: systemClock, logger: silentLogger },
  );
  readonly #stack: AsyncDisposableStack;
  readonly #certificates: TestCertificates;
  readonly #plane: DataPlane;
  readonly #dialers = new Map<SpiffeId, PooledDialer>();
  readonly #engine = new FramedEngine({ clock: systemClock });
  readonly #port: number;
  readonly #endpoints: Workload[] = [];
  readonly #closed = new AbortController();

  private constructor(parts: {
    stack: AsyncDisposableStack;
    certificates: TestCertificates;
    plane: DataPlane;
    port: number;
    log: Log[];
    metrics: WaypointMetrics;
    snapshots: SnapshotStore;
  }) {
    this.#stack = parts.stack;
    this.#certificates = parts.certificates;
    this.#plane = parts.plane;
    this.#port = parts.port;
    this.log = parts.log;
    this.metrics = parts.metrics;
    this.snapshots = parts.snapshots;
  }

  static async open(options: Partial<DataPlaneOptions> = {}): Promise<WaypointBed> {
    await using stack = new AsyncDisposableStack();
    const certificates = await TestCertificates.create();
    const log: Log[] = [];
    const metrics = new WaypointMetrics({ version: 'test' }, { clock: systemClock });
    const snapshots = new SnapshotStore({ clusterId: 'Kubernetes' }, { clock: systemClock, logger: silentLogger });
    const plane = stack.use(
      await DataPlane.open(
        {
          gateway: { namespace: 'ledger', name: 'ledger-waypoint' },
          podName: 'ledger-waypoint-0',
          clusterId: 'Kubernetes',
          network: '',
          networkGateway: false,
          trustDomain: 'cluster.local',
          instanceIp: ip(waypointIp),
          tracing: {},
          accessLogShare: 1,
          opaWorkers: 1,
          ...options,
        },
        {
          identity: waypointIdentity,
          engine: new FramedEngine({ clock: systemClock }),
          snapshots,
          certificates,
          metrics,
          log: { scope: () => silentLogger },
          clock: systemClock,
          random: systemRandom,
          writeAccessLine: (line) => log.push(JSON.parse(line) as Log) > 0,
        },
      ),
    );
    const acceptor = stack.use(
      new TunnelAcceptor(
        { identity: waypointIdentity, trustDomain: 'cluster.local' },
        {
          engine: new FramedEngine({ clock: systemClock }),
          certificates,
          drain: plane.draining,
          onConnect: (incoming, peer) => plane.recvConnect(incoming, peer),
          onFailure: () => {},
          clock: systemClock,
          logger: silentLogger,
        },
      ),
    );
    const server = await listen({ port: 0, host: waypointIp }, (socket) => acceptor.accept(socket));
    stack.defer(() => void server.close());
    const { port } = server.address() as AddressInfo;
    return new WaypointBed({ stack: stack.move(), certificates, plane, port, log, metrics, snapshots });
  }

  get plane(): DataPlane {
    return this.#plane;
  }

  /** An endpoint of the ledger with an application of its own, behind a proxy that speaks HBONE. */
  async addEndpoint(name: string, app: net.Server, changes: { readonly account?: string } = {}): Promise<Workload> {
    const address = `${subnet}.${20 + this.#endpoints.length}`;
    app.listen(0, address);
    await once(app, 'listening');
    const { port } = app.address() as AddressInfo;
    const endpoint = workload({
      name,
      namespace: 'ledger',
      serviceAccount: 'ledger',
      addresses: [address],
      services: { [ledger.key]: { 8080: port } },
    });
    const identity = identityOf('ledger', changes.account ?? 'ledger');
    const options = { identity, address, port, onAsked: (asked: Asked) => void this.asked.push(asked) };
    this.#stack.use(await openEndpointProxy(options, { engine: this.#engine, certificates: this.#certificates }));
    this.#stack.defer(() => {
      app.close();
      if (app instanceof http.Server) app.closeAllConnections();
    });
    this.#endpoints.push(endpoint);
    return endpoint;
  }

  /** Tells the waypoint the mesh and its own configuration; rejections, if any. */
  push(changes: Partial<WaypointConfiguration> = {}, services: readonly Service[] = [ledger]): readonly string[] {
    const caller = workload({ name: 'payments-0', namespace: 'payments', addresses: [callerIp], serviceAccount: 'payments' });
    this.snapshots.apply(addressPush({ services, workloads: [caller, ...this.#endpoints] }));
    const configuration: WaypointConfiguration = {
      namespace: 'ledger',
      name: 'ledger-waypoint',
      environment: 'test',
      services: [boundService({ key: ledger.key })],
      workloads: [],
      policies: { authorization: {}, jwt: {}, opa: {}, resilience: {}, rateLimits: {}, faults: {} },
      ...changes,
    };
    const upserts = [{ name: 'ledger/ledger-waypoint', version: '1', value: encodeWaypointConfiguration(configuration) }];
    const push = { typeUrl: WAYPOINT_CONFIGURATION_TYPE_URL, removed: [], upserts };
    return this.#plane.applyConfiguration(push).map(({ reason }) => reason);
  }

  /** A tunnel stream as a caller's ztunnel opens it; the status where it is refused. */
  async connect(caller: SpiffeId = payments, authority = `${vip}:8080`): Promise<Duplex | number> {
    const target = {
      sourceIdentity: caller,
      acceptedPeers: [waypointIdentity],
      address: { ip: ip(waypointIp), port: this.#port },
      sourceIp: ip(callerIp),
    };
    const outcome = await this.#dialerOf(caller).dial(target, { authority, headers: {} }, AbortSignal.timeout(5_000));
    if (outcome.kind === 'open') return outcome.stream;
    if (outcome.kind === 'refused') return outcome.status;
    throw outcome.error;
  }

  /** A port on loopback where a caller's ztunnel seems to listen: every connection is carried through a tunnel stream. */
  async door(caller: SpiffeId = payments, authority = `${vip}:8080`): Promise<number> {
    const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      void this.connect(caller, authority).then(
        (stream) => {
          if (typeof stream === 'number') socket.destroy();
          else void relay(socket, stream, { clock: systemClock }, this.#closed.signal);
        },
        () => socket.destroy(),
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#stack.defer(() => {
      this.#closed.abort();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }

  /** One request on a stream of its own. */
  async ask(
    options: http.RequestOptions & { readonly caller?: SpiffeId; readonly body?: string | Buffer } = {},
  ): Promise<Answer> {
    const { caller, body, ...rest } = options;
    const stream = await this.connect(caller);
    if (typeof stream === 'number') throw new Error(`CONNECT answered ${stream}`);
    const request = http.request({ ...rest, createConnection: () => stream, agent: undefined });
    request.end(body);
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const text = String(await buffer(response));
    stream.destroy();
    return { status: response.statusCode ?? 0, headers: response.headers, body: text };
  }

  /** The line of the access log for a request id, as soon as it is written. */
  async line(requestId: string): Promise<Log> {
    for (let round = 0; round < 200; round += 1) {
      const found = this.log.find((line) => line['request_id'] === requestId);
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error(`no line for ${requestId}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#dialers.values()].map((dialer) => dialer[Symbol.asyncDispose]()));
    await this.#stack.disposeAsync();
  }

  #dialerOf(caller: SpiffeId): PooledDialer {
    const known = this.#dialers.get(caller);
    if (known !== undefined) return known;
    const shared = { engine: this.#engine, certificates: this.#certificates, clock: systemClock, logger: silentLogger };
    const dialer = new PooledDialer({}, { ...shared, connect: (target, signal) => dialFrom(callerIp, target, signal) });
    this.#dialers.set(caller, dialer);
    return dialer;
  }
}

function identityOf(namespace: string, serviceAccount: string): SpiffeId {
  return spiffeId({ trustDomain: 'cluster.local', namespace, serviceAccount });
}

function dialFrom(
  localAddress: string,
  target: { readonly ip: string; readonly port: number },
  signal: AbortSignal,
): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: target.ip, port: target.port, localAddress, noDelay: true, signal });
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}
