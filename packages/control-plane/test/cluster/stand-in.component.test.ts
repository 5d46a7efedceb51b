/** A control plane that is restarted around a real API server, with policies there that it cannot read. */
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { create } from '@bufbuild/protobuf';
import { delay, systemClock } from '@clearmesh/shared/lifecycle/clock';
import { evaluate } from '@clearmesh/shared/policy/evaluate';
import { ApiServer } from '@clearmesh/shared/testing/kubernetes/api-server';
import { installDefinitions } from '@clearmesh/shared/testing/kubernetes/custom-resources';
import { NodeSchema } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import { decodeAuthorization } from '@clearmesh/shared/wire/authorization';
import { AUTHORIZATION_TYPE_URL, WAYPOINT_CONFIGURATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { decodeWaypointConfiguration } from '@clearmesh/shared/wire/waypoint-configuration';

import type { Node } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import { call } from '../fixtures/derivation.ts';
import { DiscoveryPeer, node } from '../fixtures/running-control-plane.ts';
import { startFromChart, system } from './chart-control-plane.ts';
import { textOf } from './charts.ts';
import type { ControlPlane } from '../../src/control-plane.ts';
import type { StatusReport } from '../../src/report/status-report.ts';

const core = { apiVersion: 'v1' };
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
    spec: { gatewayClassName: 'clearmesh-waypoint', listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE' }] },
  },
  {
    ...core,
    kind: 'Service',
    metadata: { name: 'ledger', namespace: 'bank', labels: { 'istio.io/use-waypoint': 'gate' } },
    spec: { selector: { app: 'ledger' }, ports: [{ name: 'http', port: 80 }] },
  },
];

const teller = 'cluster.local/ns/branches/sa/teller';
/** Denies addresses that the caller of the tests has not; with a block that is none it cannot be read. */
const policy = (name: string, block: string, attachment: object = {}): object => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { name, namespace: 'bank' },
  spec: { ...attachment, action: 'DENY', rules: [{ from: [{ source: { ipBlocks: [block] } }] }] },
});
const targetRefs = [{ kind: 'Service', name: 'ledger' }];
const both = (block: string): string => textOf([policy('at-pods', block), policy('at-ledger', block, { targetRefs })]);

describe('a control plane that is restarted with policies that it cannot read', function () {
  this.timeout(120_000);
  let server: ApiServer;
  let plane: ControlPlane | undefined;
  const log: string[] = [];
  const sessions: Http2SessionManager[] = [];

  before(async function () {
    // The programs may have to be built first.
    this.timeout(3_600_000);
    server = await ApiServer.start();
    await installDefinitions(server);
    await server.apply(textOf(mesh));
    await server.apply(both('192.0.2.0/24'));
    await restart();
  });

  after(async () => {
    for (const session of sessions) session.abort();
    await plane?.[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  async function restart(): Promise<void> {
    for (const session of sessions.splice(0)) session.abort();
    await plane?.[Symbol.asyncDispose]();
    log.length = 0;
    plane = await startFromChart(server, [], log);
  }

  async function eventually<T>(read: () => Promise<T>, fits: (found: T) => boolean): Promise<T> {
    const late = AbortSignal.timeout(20_000);
    for (;;) {
      const found = await read();
      if (fits(found)) return found;
      if (late.aborted) throw new Error(`not in time; last: ${JSON.stringify(found)}\n${log.slice(-20).join('')}`);
      await delay(systemClock, 100, late).catch(() => {});
    }
  }

  const status = (name: string) => (): Promise<string> =>
    server.kubectl(['get', 'authorizationpolicy', name, '-n', 'bank', '--output=jsonpath={.status.conditions}']);

  /** The first answer of a new stream. */
  async function ask(asking: Node, typeUrl: string, podName: string, namespace: string, of: string): Promise<Answer> {
    const ca = await eventually(
      () => server.kubectl(['get', 'configmap', 'istio-ca-root-cert', '-n', 'bank', '-o', 'jsonpath={.data.*}']).catch(String),
      (text) => text.startsWith('-----BEGIN'),
    );
    const uid = await server.kubectl(['get', 'pod', podName, '-n', namespace, '-o', 'jsonpath={.metadata.uid}']);
    const bound = ['--bound-object-kind=Pod', `--bound-object-name=${podName}`, `--bound-object-uid=${uid}`];
    const token = await server.kubectl(['create', 'token', of, '-n', namespace, '--audience=istio-ca', ...bound]);
    const baseUrl = `https://127.0.0.1:${plane?.address.port}`;
    const sessionManager = new Http2SessionManager(baseUrl, {}, { ca, ALPNProtocols: ['h2'] });
    sessions.push(sessionManager);
    const peer = new DiscoveryPeer(createGrpcTransport({ baseUrl, sessionManager }), `Bearer ${token.trim()}`);
    peer.send({ node: asking, typeUrl });
    const answer = await peer.next();
    peer.reset();
    return new Map(answer?.resources.map(({ name, resource }) => [name, resource?.value ?? new Uint8Array()]));
  }

  /** What a ztunnel that starts now would say of a call to a pod of the bank. */
  async function atPods(): Promise<string> {
    const found = await ask(node, AUTHORIZATION_TYPE_URL, 'ztunnel-a', system, 'ztunnel');
    const value = found.get('bank/at-pods');
    if (value === undefined) return 'no policy';
    const decoded = decodeAuthorization(value);
    if (decoded.kind === 'rejected') return decoded.reason;
    const verdict = evaluate([decoded.policy], call(teller));
    return `${decoded.policy.scope}: ${verdict.kind}${'policy' in verdict ? ` by ${verdict.policy}` : ''}`;
  }

  /** What a waypoint that starts now is told to enforce. */
  async function atLedger(): Promise<string> {
    const id = 'waypoint~10.244.7.1~gate-0.bank~bank.svc.cluster.local';
    const asking = create(NodeSchema, { id, metadata: { NAMESPACE: 'bank' } });
    const [value = new Uint8Array()] = (await ask(asking, WAYPOINT_CONFIGURATION_TYPE_URL, 'gate-0', 'bank', 'gate')).values();
    const decoded = decodeWaypointConfiguration(value);
    if (decoded.kind === 'rejected') return decoded.reason;
    const { services, policies } = decoded.configuration;
    const told = services.flatMap(({ authorization }) => authorization.map((key) => policies.authorization[key]));
    return told.map((each) => `${each?.key}: ${each?.action} ${JSON.stringify(each?.rules)}`).join(', ');
  }

  const writtenRule = '[{"from":[{"ipBlocks":["192.0.2.0/24"]}]}]';

  it('enforces them as written while it can read them, and goes on with that when it no longer can', async () => {
    await eventually(atPods, (text) => text === 'NAMESPACE: allow');
    expect(await atLedger()).to.equal(`AuthorizationPolicy bank/at-ledger: DENY ${writtenRule}`);
    await server.apply(both('192.0.2.0/99'));
    for (const name of ['at-pods', 'at-ledger'])
      await eventually(status(name), (text) => text.includes('192.0.2.0/99') && text.includes('last valid version stays'));
    expect(await atPods()).to.equal('NAMESPACE: allow');
    expect(await atLedger()).to.equal(`AuthorizationPolicy bank/at-ledger: DENY ${writtenRule}`);
  });

  it('refuses whatever they are for after the restart, and says so', async () => {
    await restart();
    await eventually(atPods, (text) => text === 'NAMESPACE: deny by bank/at-pods');
    expect(await atLedger()).to.equal('AuthorizationPolicy bank/at-ledger: DENY [{}]');
    const found =
      'spec.rules[0].from[0].source.ipBlocks[0] must be an IP address or a block of them (found \\"192.0.2.0/99\\"). ';
    const remedy = 'Write an address or a block, such as 10.0.0.0/8 or fd00::/16. ';
    const pods = await eventually(status('at-pods'), (text) => text.includes('Everybody'));
    expect(pods).to.contain(`${found}${remedy}Everybody is refused in namespace bank until it is mended.`);
    expect(pods).to.contain('"type":"ZtunnelAccepted"');
    const ledger = await eventually(status('at-ledger'), (text) => text.includes('Everybody'));
    expect(ledger).to.contain('Everybody is refused at Service ledger until it is mended.');
    expect(ledger).to.contain('"type":"WaypointAccepted"');
    const { report } = (await (await fetch(`http://127.0.0.1:${plane?.adminAddress?.port}/status`)).json()) as StatusPage;
    expect(report.rejections.map(({ object, effect }) => `${object}: ${effect}`)).to.have.members([
      'AuthorizationPolicy bank/at-pods: Everybody is refused in namespace bank until it is mended.',
      'AuthorizationPolicy bank/at-ledger: Everybody is refused at Service ledger until it is mended.',
    ]);
    const metrics = await (await fetch(`http://127.0.0.1:${plane?.adminAddress?.port}/metrics`)).text();
    expect(metrics).to.contain('\nclearmesh_configuration_stand_ins 2\n');
    const told = log
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
      .filter(({ effect }) => effect !== undefined);
    expect(told.map(({ object }) => object)).to.have.members(
      ['at-pods', 'at-ledger'].map((name) => `AuthorizationPolicy bank/${name}`),
    );
  });

  it('enforces them as written once they are mended', async () => {
    await server.apply(both('192.0.2.0/24'));
    await eventually(atPods, (text) => text === 'NAMESPACE: allow');
    expect(await atLedger()).to.equal(`AuthorizationPolicy bank/at-ledger: DENY ${writtenRule}`);
    await eventually(status('at-pods'), (text) => text.includes('enforced by the node proxies'));
  });
});

type StatusPage = { readonly report: StatusReport };
type Answer = ReadonlyMap<string, Uint8Array>;
