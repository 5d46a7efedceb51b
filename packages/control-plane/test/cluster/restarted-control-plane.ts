/** A control plane around a real API server that is restarted, and asked as proxies which start then would ask it. */
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { create } from '@bufbuild/protobuf';
import { askUntil } from '@clearmesh/shared/testing/ask-until';
import { ApiServer } from '@clearmesh/shared/testing/kubernetes/api-server';
import { installDefinitions } from '@clearmesh/shared/testing/kubernetes/custom-resources';
import { NodeSchema } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import { WAYPOINT_CONFIGURATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { decodeWaypointConfiguration } from '@clearmesh/shared/wire/waypoint-configuration';
import type { Node } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import type { WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import { DiscoveryPeer, node } from '../fixtures/running-control-plane.ts';
import { startFromChart, system } from './chart-control-plane.ts';
import { textOf } from './charts.ts';
import type { ControlPlane } from '../../src/control-plane.ts';
import type { StatusReport } from '../../src/report/status-report.ts';

export const core = { apiVersion: 'v1' };
const account = (name: string, namespace: string): object => ({
  ...core,
  kind: 'ServiceAccount',
  metadata: { name, namespace },
});
const pod = (name: string, namespace: string, serviceAccountName: string, labels: object = {}): object => ({
  ...core,
  kind: 'Pod',
  metadata: { name, namespace, labels },
  spec: { nodeName: 'vault-a', serviceAccountName, containers: [{ name: 'app', image: 'none' }] },
});
const ofGate = { 'gateway.networking.k8s.io/gateway-name': 'gate' };
/** Service `ledger` of namespace `bank` behind the waypoint `gate`. */
const mesh = [
  ...[system, 'bank'].map((name) => ({ ...core, kind: 'Namespace', metadata: { name } })),
  { ...core, kind: 'Node', metadata: { name: 'vault-a' } },
  account('ztunnel', system),
  account('gate', 'bank'),
  pod('ztunnel-a', system, 'ztunnel'),
  pod('gate-0', 'bank', 'gate', ofGate),
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'gate', namespace: 'bank' },
    spec: {
      gatewayClassName: 'clearmesh-waypoint',
      listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE', allowedRoutes: { namespaces: { from: 'All' } } }],
    },
  },
  {
    ...core,
    kind: 'Service',
    metadata: { name: 'ledger', namespace: 'bank', labels: { 'istio.io/use-waypoint': 'gate' } },
    spec: { selector: { app: 'ledger' }, ports: [{ name: 'http', port: 80 }] },
  },
];

export class RestartedControlPlane implements AsyncDisposable {
  readonly server: ApiServer;
  /** Lines since the last restart. */
  readonly log: string[] = [];
  readonly #sessions: Http2SessionManager[] = [];
  #plane: ControlPlane | undefined;

  private constructor(server: ApiServer) {
    this.server = server;
  }

  /** The API server with definitions and a small mesh; the control plane comes with the first `restart`. */
  static async create(): Promise<RestartedControlPlane> {
    const server = await ApiServer.start();
    await installDefinitions(server);
    await server.apply(textOf(mesh));
    return new RestartedControlPlane(server);
  }

  async restart(): Promise<void> {
    await this.#stop();
    this.log.length = 0;
    this.#plane = await startFromChart(this.server, [], this.log);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    await this.server[Symbol.asyncDispose]();
  }

  async eventually<T>(read: () => Promise<T>, fits: (found: T) => boolean): Promise<T> {
    const found = await askUntil(fits, read, { limitMs: 20_000, pauseMs: 100 });
    if (fits(found)) return found;
    throw new Error(`not in time; last: ${JSON.stringify(found)}\n${this.log.slice(-20).join('')}`);
  }

  /** Conditions, as JSON. @param place kind, name, and flags of kubectl */
  async status(...place: readonly string[]): Promise<string> {
    return this.server.kubectl(['get', ...place, '--output=jsonpath={.status.conditions}']);
  }

  async page(): Promise<StatusReport> {
    return ((await (await this.#fetch('status')).json()) as { readonly report: StatusReport }).report;
  }

  async metrics(): Promise<string> {
    return (await this.#fetch('metrics')).text();
  }

  /** Objects of which the log says what is refused for them. */
  get toldOf(): readonly string[] {
    const lines = this.log.map((line) => JSON.parse(line) as { readonly object?: string; readonly effect?: string });
    return lines.flatMap(({ object, effect }) => (object === undefined || effect === undefined ? [] : [object]));
  }

  /** What a ztunnel that starts now is told. */
  asZtunnel(typeUrl: string): Promise<Answer> {
    return this.#ask(node, typeUrl, 'ztunnel-a', system, 'ztunnel');
  }

  /** What the waypoint is told that starts now. */
  async asWaypoint(): Promise<WaypointConfiguration> {
    const id = 'waypoint~10.244.7.1~gate-0.bank~bank.svc.cluster.local';
    const asking = create(NodeSchema, { id, metadata: { NAMESPACE: 'bank' } });
    const [value = new Uint8Array()] = (
      await this.#ask(asking, WAYPOINT_CONFIGURATION_TYPE_URL, 'gate-0', 'bank', 'gate')
    ).values();
    const decoded = decodeWaypointConfiguration(value);
    if (decoded.kind === 'rejected') throw new Error(decoded.reason);
    return decoded.configuration;
  }

  async #stop(): Promise<void> {
    for (const session of this.#sessions.splice(0)) session.abort();
    await this.#plane?.[Symbol.asyncDispose]();
    this.#plane = undefined;
  }

  #fetch(page: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#plane?.adminAddress?.port}/${page}`);
  }

  /** The first answer of a new stream. */
  async #ask(asking: Node, typeUrl: string, podName: string, namespace: string, of: string): Promise<Answer> {
    const ca = await this.eventually(
      () =>
        this.server.kubectl(['get', 'configmap', 'istio-ca-root-cert', '-n', 'bank', '-o', 'jsonpath={.data.*}']).catch(String),
      (text) => text.startsWith('-----BEGIN'),
    );
    const uid = await this.server.kubectl(['get', 'pod', podName, '-n', namespace, '-o', 'jsonpath={.metadata.uid}']);
    const bound = ['--bound-object-kind=Pod', `--bound-object-name=${podName}`, `--bound-object-uid=${uid}`];
    const token = await this.server.kubectl(['create', 'token', of, '-n', namespace, '--audience=istio-ca', ...bound]);
    const baseUrl = `https://127.0.0.1:${this.#plane?.address.port}`;
    const sessionManager = new Http2SessionManager(baseUrl, {}, { ca, ALPNProtocols: ['h2'] });
    this.#sessions.push(sessionManager);
    const peer = new DiscoveryPeer(createGrpcTransport({ baseUrl, sessionManager }), `Bearer ${token.trim()}`);
    peer.send({ node: asking, typeUrl });
    const answer = await peer.next();
    peer.reset();
    return new Map(answer?.resources.map(({ name, resource }) => [name, resource?.value ?? new Uint8Array()]));
  }
}

export type Answer = ReadonlyMap<string, Uint8Array>;
