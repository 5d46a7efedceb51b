/** One replica of the waypoint, whole but for its control plane. */
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import type { WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import { silentLogger } from '@clearmesh/shared/observe/log';
import type { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import { identity, ip } from '@clearmesh/shared/testing/builders';
import type { TestCertificates } from '@clearmesh/shared/testing/test-certificates';
import { TunnelAcceptor } from '@clearmesh/shared/tunnel/acceptor';
import { FramedEngine } from '@clearmesh/shared/tunnel/framed-engine';
import { PooledDialer } from '@clearmesh/shared/tunnel/pooled-dialer';
import { WAYPOINT_CONFIGURATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { encodeWaypointConfiguration } from '@clearmesh/shared/wire/waypoint-configuration';
import { listen } from '../../src/accept/hbone-front.ts';
import { DataPlane } from '../../src/data-plane.ts';
import { dialTcp } from '../../src/forward/tcp-dial.ts';
import { WaypointMetrics } from '../../src/telemetry/metrics/waypoint-metrics.ts';

const waypointIdentity: SpiffeId = identity('ledger', 'ledger-waypoint');
const callerIdentity: SpiffeId = identity('payments', 'payments');

export type WaypointReplicaOptions = {
  readonly name: string;
  readonly address: string;
  readonly callerAddress: string;
  /** Key material for answers kept in Redis. */
  readonly keyFile: string;
};

export type WaypointReplicaDeps = { readonly snapshots: SnapshotStore; readonly certificates: TestCertificates };

type AccessLine = { readonly request_id: string; readonly outcome: string };

/** What a backend's status page says of what is taken. */
export type Taken = Readonly<Record<string, Readonly<Record<string, number>>>>;

export class WaypointReplica implements AsyncDisposable {
  /** Outcomes of the access log, by request id. */
  readonly lines: Map<string, string[]>;
  readonly #options: WaypointReplicaOptions;
  readonly #plane: DataPlane;
  readonly #dialer: PooledDialer;
  readonly #port: number;
  readonly #stack: AsyncDisposableStack;

  private constructor(parts: {
    options: WaypointReplicaOptions;
    plane: DataPlane;
    dialer: PooledDialer;
    port: number;
    lines: Map<string, string[]>;
    stack: AsyncDisposableStack;
  }) {
    this.lines = parts.lines;
    this.#options = parts.options;
    this.#plane = parts.plane;
    this.#dialer = parts.dialer;
    this.#port = parts.port;
    this.#stack = parts.stack;
  }

  static async open(options: WaypointReplicaOptions, deps: WaypointReplicaDeps): Promise<WaypointReplica> {
    await using stack = new AsyncDisposableStack();
    const lines = new Map<string, string[]>();
    const plane = stack.use(await openPlane(options, deps, lines));
    const engine = new FramedEngine({ clock: systemClock });
    const acceptor = stack.use(
      new TunnelAcceptor(
        { identity: waypointIdentity, trustDomain: 'cluster.local' },
        {
          engine,
          certificates: deps.certificates,
          drain: plane.draining,
          onConnect: (incoming, peer) => plane.recvConnect(incoming, peer),
          onFailure: () => {},
          clock: systemClock,
          logger: silentLogger,
        },
      ),
    );
    const server = await listen({ port: 0, host: options.address }, (socket) => acceptor.accept(socket));
    stack.defer(() => void server.close());
    const dialer = stack.use(
      new PooledDialer(
        {},
        {
          engine,
          certificates: deps.certificates,
          connect: (target, signal) => dialTcp(target, signal),
          clock: systemClock,
          logger: silentLogger,
        },
      ),
    );
    const { port } = server.address() as AddressInfo;
    return new WaypointReplica({ options, plane, dialer, port, lines, stack: stack.move() });
  }

  /** Requests under way. */
  get active(): number {
    return this.#plane.active;
  }

  /** By backend: everything of its limits that is taken now. */
  get taken(): Taken {
    return this.#plane.operatorView().status.limits() as Taken;
  }

  /** Throws where it is rejected: a run without its policy would prove nothing. */
  apply(configuration: WaypointConfiguration): void {
    const upserts = [{ name: 'ledger/ledger-waypoint', version: '1', value: encodeWaypointConfiguration(configuration) }];
    const push = { typeUrl: WAYPOINT_CONFIGURATION_TYPE_URL, removed: [], upserts };
    const [rejection] = this.#plane.applyConfiguration(push);
    if (rejection !== undefined) throw new Error(`the configuration of the run is rejected: ${rejection.reason}`);
  }

  /** A tunnel stream as the caller's node would open it; `undefined`: none to be had. */
  async connect(authority: string, signal: AbortSignal): Promise<Duplex | undefined> {
    const target = {
      sourceIdentity: callerIdentity,
      acceptedPeers: [waypointIdentity],
      address: { ip: ip(this.#options.address), port: this.#port },
      sourceIp: ip(this.#options.callerAddress),
    };
    const outcome = await this.#dialer.dial(target, { authority, headers: {} }, signal);
    return outcome.kind === 'open' ? outcome.stream : undefined;
  }

  /** Gives what is under way so long, then cuts it. */
  drain(deadlineMs: number): Promise<number> {
    return this.#plane.drain(deadlineMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

function openPlane(
  { name, address, keyFile }: WaypointReplicaOptions,
  { snapshots, certificates }: WaypointReplicaDeps,
  lines: Map<string, string[]>,
): Promise<DataPlane> {
  return DataPlane.open(
    {
      gateway: { namespace: 'ledger', name: 'ledger-waypoint' },
      podName: name,
      clusterId: 'Kubernetes',
      network: '',
      networkGateway: false,
      trustDomain: 'cluster.local',
      instanceIp: ip(address),
      tracing: {},
      accessLogShare: 1,
      domainKeyFile: keyFile,
      opaWorkers: 1,
    },
    {
      identity: waypointIdentity,
      engine: new FramedEngine({ clock: systemClock }),
      snapshots,
      certificates,
      metrics: new WaypointMetrics({ version: 'test' }, { clock: systemClock }),
      log: { scope: () => silentLogger },
      clock: systemClock,
      random: systemRandom,
      writeAccessLine: (text) => {
        const line = JSON.parse(text) as AccessLine;
        const known = lines.get(line.request_id);
        if (known === undefined) lines.set(line.request_id, [line.outcome]);
        else known.push(line.outcome);
        return true;
      },
    },
  );
}
