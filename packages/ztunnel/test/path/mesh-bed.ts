/**
 * Two pods of two nodes on loopback with everything real but capture: the client's redirection is played by a listener,
 * and what SO_ORIGINAL_DST would say is set by the test.
 */
import net from 'node:net';
import { once } from 'node:events';
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import { listenSocket } from '@clearmesh/linux/listen-socket';
import { Drain } from '@clearmesh/shared/lifecycle/drain';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import type { Authorization } from '@clearmesh/shared/model/authorization';
import type { IpAddress, SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { createLogger, silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { ip, workload } from '@clearmesh/shared/testing/builders';
import type { WorkloadSpec } from '@clearmesh/shared/testing/builders';
import { encodeAuthorization } from '@clearmesh/shared/wire/authorization';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { encodeService, encodeWorkload } from '@clearmesh/shared/wire/wds';
import { Metrics } from '../../src/admin/metrics.ts';
import { LiveConnections } from '../../src/authorise/live-connections.ts';
import { LocalIdentities } from '../../src/capture/local-identities.ts';
import { PodCertificates } from '../../src/capture/pod-certificates.ts';
import { PodListener } from '../../src/capture/pod-listener.ts';
import { podNetwork } from '../../src/deliver/pod-network.ts';
import { AccessSelection } from '../../src/path/access-selection.ts';
import type { AccessSelectionOptions } from '../../src/path/access-selection.ts';
import { noSpans } from '../../src/path/connection-spans.ts';
import type { SpanSink } from '../../src/path/connection-spans.ts';
import type { OnDemandMesh } from '../../src/discover/on-demand-mesh.ts';
import { IgnoredCallers } from '../../src/path/ignored-callers.ts';
import { OpenEndpoints } from '../../src/path/open-endpoints.ts';
import { PodDataPath } from '../../src/path/pod-data-path.ts';
import type { PodDataPathOptions } from '../../src/path/pod-data-path.ts';
import { PolicyLog } from '../../src/path/policy-log.ts';
import { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import { TunnelAcceptor } from '@clearmesh/shared/tunnel/acceptor';
import { FramedEngine } from '@clearmesh/shared/tunnel/framed-engine';
import { NestedDialer } from '@clearmesh/shared/tunnel/nested-dialer';
import { PooledDialer } from '@clearmesh/shared/tunnel/pooled-dialer';
import { TestCertificates } from '@clearmesh/shared/testing/test-certificates';
import { bounded } from './applications.ts';

export const clientIp = '127.0.77.1';
export const serverIp = '127.0.77.2';

export const clientSpec: WorkloadSpec = { name: 'client', serviceAccount: 'client-sa', addresses: [clientIp] };
export const serverSpec: WorkloadSpec = { name: 'server', serviceAccount: 'server-sa', addresses: [serverIp] };

export type LogLine = Readonly<Record<string, string | number>>;

/** Whose proxy. */
export type Side = 'client' | 'server';

type Pod = {
  readonly path: PodDataPath<PooledDialer>;
  readonly drain: Drain;
  readonly listeners: Record<'outbound' | 'plaintext' | 'tunnel' | 'socks', PodListener>;
};

export type MeshPush = {
  readonly workloads?: readonly Workload[];
  readonly services?: readonly Service[];
  readonly policies?: readonly Authorization[];
  readonly removed?: readonly string[];
  readonly removedPolicies?: readonly string[];
};

type Limits = Partial<
  Pick<PodDataPathOptions, 'maxConnections' | 'responseBaggage' | 'localhostAppTunnel' | 'waits' | 'resets' | 'socks'>
> & {
  readonly accessLog?: AccessSelectionOptions;
  readonly certificates?: TestCertificates;
  readonly spans?: SpanSink;
  /** Each pod's. @default one for both, without a name */
  readonly networks?: Readonly<Record<Side, string>>;
  /** Has the mesh asked for on demand, for one of the proxies. */
  readonly discover?: (side: Side, store: SnapshotStore) => OnDemandMesh | undefined;
};

export class MeshBed implements AsyncDisposable {
  /** Moves only the wait for a workload; everything else runs in real time. */
  readonly clock: FakeClock = new FakeClock();
  /** What each proxy knows of the mesh; the same, unless a push went to one of them only. */
  readonly stores: Readonly<Record<Side, SnapshotStore>>;
  readonly metrics: Metrics = new Metrics({ version: 'test' }, { clock: systemClock });
  readonly log: LogLine[] = [];
  readonly client: Pod;
  readonly server: Pod;
  /** What was logged of policy. */
  readonly policyLog: LogLine[] = [];
  /** Where addresses of the mesh (`ip:port`) really listen, so that beds do not disturb each other. */
  readonly ports: Map<string, number> = new Map();
  readonly certificates: TestCertificates;
  readonly engine: FramedEngine = new FramedEngine({ clock: systemClock });
  /** What the system's resolver knows. */
  readonly names: Map<string, readonly IpAddress[]> = new Map();
  /** What the next captured connection asked for. */
  originalDestination: SocketAddress = { ip: ip(serverIp), port: 1 };
  readonly openEndpoints: Readonly<Record<Side, OpenEndpoints>> = { client: new OpenEndpoints(), server: new OpenEndpoints() };
  readonly #limits: Limits;
  readonly #live: Readonly<Record<Side, LiveConnections>>;
  readonly #ignoredCallers: IgnoredCallers;
  readonly #logged = new Set<() => void>();
  readonly #clients: net.Socket[] = [];

  private constructor(certificates: TestCertificates, limits: Limits) {
    this.#limits = limits;
    this.certificates = certificates;
    const store = (): SnapshotStore =>
      new SnapshotStore({ clusterId: 'Kubernetes' }, { clock: this.clock, logger: silentLogger });
    const live = (source: SnapshotStore): LiveConnections => new LiveConnections({}, { source, logger: silentLogger });
    this.stores = { client: store(), server: store() };
    this.#live = { client: live(this.stores.client), server: live(this.stores.server) };
    const policyLogger = createLogger('policy', {
      format: 'json',
      write: (line) => this.policyLog.push(JSON.parse(line) as LogLine),
    });
    this.#ignoredCallers = new IgnoredCallers({}, { metrics: this.metrics, logger: policyLogger });
    this.client = this.#pod('client', 'client-sa', clientIp);
    this.server = this.#pod('server', 'server-sa', serverIp);
    this.ports.set(`${serverIp}:15008`, this.server.listeners.tunnel.port ?? 0);
  }

  /** Both workloads known, no policy. */
  static async create(limits: Limits = {}): Promise<MeshBed> {
    const bed = new MeshBed(limits.certificates ?? (await TestCertificates.create()), limits);
    bed.push({ workloads: [workload(clientSpec), workload(serverSpec)] });
    return bed;
  }

  /** Connections that wait for their own workload. */
  get waiting(): number {
    return this.stores.client.waiting + this.stores.server.waiting;
  }

  /** What a control plane would send, to both proxies or to one of them. */
  push(objects: MeshPush, to: readonly Side[] = ['client', 'server']): void {
    for (const side of to) this.#push(objects, this.stores[side]);
  }

  #push(objects: MeshPush, store: SnapshotStore): void {
    const { workloads = [], services = [], policies = [], removed = [], removedPolicies = [] } = objects;
    const addresses = [
      ...workloads.map((each) => ({ name: each.uid, version: '1', value: encodeWorkload(each) })),
      ...services.map((each) => ({ name: each.key, version: '1', value: encodeService(each) })),
    ];
    const rejected = [
      ...store.apply({ typeUrl: ADDRESS_TYPE_URL, removed, upserts: addresses }),
      ...store.apply({
        typeUrl: AUTHORIZATION_TYPE_URL,
        removed: removedPolicies,
        upserts: policies.map((each) => ({ name: each.key, version: '', value: encodeAuthorization(each) })),
      }),
    ];
    if (rejected.length > 0) throw new Error(`rejected: ${JSON.stringify(rejected)}`);
  }

  /** A connection of the client's application to a port of the server pod, captured on the way. */
  async call(port: number, options: { readonly ip?: string } = {}): Promise<net.Socket> {
    this.originalDestination = { ip: ip(options.ip ?? serverIp), port };
    return this.#connect(clientIp, this.client.listeners.outbound.port, clientIp);
  }

  /** A connection of the client's application to its SOCKS listener. */
  callSocks(): Promise<net.Socket> {
    return this.#connect(clientIp, this.client.listeners.socks.port, clientIp);
  }

  /** A connection from outside the mesh, captured in plain text at the server. */
  async callPlain(port: number): Promise<net.Socket> {
    this.originalDestination = { ip: ip(serverIp), port };
    return this.#connect(serverIp, this.server.listeners.plaintext.port);
  }

  /** The first access-log line that fits, now or soon. */
  async line(fits: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      const found = this.log.find(fits);
      if (found !== undefined) return found;
      await bounded(new Promise<void>((resolve) => this.#logged.add(resolve)), 'a log line');
    }
  }

  /** The line of a connection's end. */
  complete(direction: 'inbound' | 'outbound'): Promise<LogLine> {
    return this.line((line) => line['message'] === 'connection complete' && line['direction'] === direction);
  }

  /** The line of a connection that joined nobody. */
  failed(direction: 'inbound' | 'outbound'): Promise<LogLine> {
    return this.line((line) => line['message'] === 'connection failed' && line['direction'] === direction);
  }

  /** TCP from an address to one of the mesh. */
  async dial(target: SocketAddress, localAddress: string): Promise<net.Socket> {
    const port = this.ports.get(`${target.ip}:${target.port}`) ?? target.port;
    const socket = net.connect({ host: target.ip, port, localAddress, noDelay: true });
    await once(socket, 'connect');
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#clients) socket.destroy();
    for (const pod of [this.client, this.server]) {
      for (const listener of Object.values(pod.listeners)) listener.close();
      pod.drain.force();
      await pod.path[Symbol.asyncDispose]();
    }
    for (const live of Object.values(this.#live)) live[Symbol.dispose]();
  }

  async #connect(host: string, port: number | undefined, localAddress = '127.0.0.1'): Promise<net.Socket> {
    const socket = net.connect({ host, port: port ?? 0, localAddress, allowHalfOpen: true, noDelay: true });
    this.#clients.push(socket.on('error', () => {}));
    await bounded(once(socket, 'connect'), 'connect');
    return socket;
  }

  #pod(name: Side, serviceAccount: string, podIp: string): Pod {
    const drain = new Drain({ clock: systemClock });
    const network = podNetwork({ originalSource: 'best-effort' }, { connectTcp, clock: systemClock, logger: silentLogger });
    const log = createLogger('access', { format: 'json', write: (line) => this.#recvLine(line) });
    const identities = new LocalIdentities({ node: '' }, { want: () => {}, forget: () => {} });
    const certificates = new PodCertificates({ certificates: this.certificates, identities });
    const shared = { engine: this.engine, certificates, clock: systemClock, logger: silentLogger };
    const dialer = new PooledDialer({}, { ...shared, connect: (target) => this.dial(target, podIp) });
    const { discover, ...limits } = this.#limits;
    const onDemand = discover?.(name, this.stores[name]);
    const path = new PodDataPath<PooledDialer>(
      {
        pod: { namespace: 'bank', name, serviceAccount },
        network: this.#limits.networks?.[name] ?? '',
        responseBaggage: true,
        ...limits,
      },
      {
        metrics: this.metrics,
        log,
        spans: this.#limits.spans ?? noSpans,
        lines: new AccessSelection(this.#limits.accessLog ?? {}, { random: systemRandom, metrics: this.metrics }).ofPod({
          namespace: 'bank',
        }),
        clock: systemClock,
        drain,
        snapshots: onDemand ?? this.stores[name],
        ...(onDemand === undefined ? {} : { discovery: onDemand }),
        live: this.#live[name],
        ignoredCallers: this.#ignoredCallers,
        openEndpoints: this.openEndpoints[name],
        policyLog: new PolicyLog({ decisions: 'debug' }, { logger: silentLogger, metrics: this.metrics }),
        network,
        certificates,
        dialer,
        nested: new NestedDialer({}, { ...shared, outer: dialer }),
        createAcceptor: ({ identity, trustDomain, drain: podDrain, onConnect, onFailure }) =>
          new TunnelAcceptor({ identity, trustDomain }, { ...shared, drain: podDrain, onConnect, onFailure }),
        originalDestination: () => this.originalDestination,
        lookUp: async (hostname) => this.names.get(hostname) ?? [],
        random: systemRandom,
      },
    );
    const open = (allowHalfOpen: boolean, onAccept: ConstructorParameters<typeof PodListener>[1]['onAccept']): PodListener =>
      new PodListener({ ip: podIp, port: 0, allowHalfOpen }, { listen: listenSocket, onAccept, logger: silentLogger });
    const listeners = {
      outbound: open(true, (accepted) => path.recvOutbound(accepted)),
      plaintext: open(true, (accepted) => path.recvPlaintext(accepted)),
      socks: open(true, (accepted) => path.recvSocks(accepted)),
      tunnel: open(false, (accepted) => path.recvTunnel(accepted)),
    };
    return { path, drain, listeners };
  }

  #recvLine(line: string): void {
    this.log.push(JSON.parse(line) as LogLine);
    for (const wake of this.#logged) wake();
    this.#logged.clear();
  }
}
