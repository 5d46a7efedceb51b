/** The control plane around a real API server, with the rights of its chart and no others. */
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { askUntil } from '@clearmesh/shared/testing/ask-until';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { createLogger } from '@clearmesh/shared/observe/log';
import { ApiServer } from '@clearmesh/shared/testing/kubernetes/api-server';
import { installDefinitions } from '@clearmesh/shared/testing/kubernetes/custom-resources';
import { ADDRESS_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { IstioCertificateService } from '@clearmesh/shared/wire/gen/ca/ca_pb';
import { ControlPlane } from '../../src/control-plane.ts';
import { DiscoveryPeer, node } from '../fixtures/running-control-plane.ts';
import { signingRequest } from '../fixtures/signing-requests.ts';
import { clusterRules, systemRules } from './rights.ts';

const loopback = parseIp('127.0.0.1')!;
const system = 'clearmesh-system';
const account = `system:serviceaccount:${system}:clearmesh-control-plane`;

const rbac = 'rbac.authorization.k8s.io';
const named = { name: 'clearmesh-control-plane' };
const subjects = [{ kind: 'User', apiGroup: rbac, name: account }];
const rights = [
  { apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: named, rules: clusterRules },
  { apiVersion: `${rbac}/v1`, kind: 'Role', metadata: { ...named, namespace: system }, rules: systemRules },
  {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: named,
    subjects,
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', ...named },
  },
  {
    apiVersion: `${rbac}/v1`,
    kind: 'RoleBinding',
    metadata: { ...named, namespace: system },
    subjects,
    roleRef: { apiGroup: rbac, kind: 'Role', ...named },
  },
];

function pod(name: string, namespace: string, serviceAccountName: string): object {
  const containers = [{ name: 'app', image: 'none' }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: { nodeName: 'vault-a', serviceAccountName, containers },
  };
}

const mesh = [
  ...[system, 'bank'].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
  { apiVersion: 'v1', kind: 'Node', metadata: { name: 'vault-a' } },
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'ztunnel', namespace: system } },
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'ledger', namespace: 'bank' } },
  pod('ztunnel-a', system, 'ztunnel'),
  pod('ledger-0', 'bank', 'ledger'),
];

describe('the control plane around a real API server', function () {
  this.timeout(120_000);
  let server: ApiServer;
  let plane: ControlPlane;
  const log: string[] = [];
  const sessions: Http2SessionManager[] = [];

  before(async function () {
    // The programs may have to be built first.
    this.timeout(3_600_000);
    server = await ApiServer.start();
    await installDefinitions(server);
    for (const objects of [mesh, rights]) await server.apply(objects.map((object) => JSON.stringify(object)).join('\n---\n'));
    const ip = { status: { phase: 'Running', podIP: '10.1.0.7', podIPs: [{ ip: '10.1.0.7' }] } };
    await server.kubectl(['patch', 'pod', 'ledger-0', '-n', 'bank', '--subresource=status', '--patch', JSON.stringify(ip)]);
    const kubeconfig = await server.kubeconfigFor('clearmesh-control-plane', { user: account, groups: [] });
    plane = await ControlPlane.start(
      {
        setting: { kind: 'kubernetes', kubeconfig, podName: 'cp-0' },
        listen: { ip: loopback, port: 0 },
        clusterId: 'Kubernetes',
        trustDomain: 'cluster.local',
        rootNamespace: system,
        defaultMtls: 'STRICT',
        requirePermissiveExpiry: true,
        trustedNodeAccounts: [`${system}/ztunnel`],
      },
      {
        clock: systemClock,
        random: systemRandom,
        logger: createLogger('control-plane', { format: 'json', write: (line) => void log.push(line) }),
      },
      AbortSignal.timeout(30_000),
    );
  });

  after(async () => {
    for (const session of sessions) session.abort();
    await plane[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  /** The first text that fits. */
  async function eventually(read: () => Promise<string>, fits: (text: string) => boolean, limitMs = 15_000): Promise<string> {
    const ask = (): Promise<string> => read().catch((error: Error) => error.message);
    const text = await askUntil(fits, ask, { limitMs, pauseMs: 50 });
    if (fits(text)) return text;
    throw new Error(`not within ${limitMs} ms; last: ${text}\n${log.slice(-20).join('')}`);
  }

  const get = (path: string, ...args: readonly string[]): Promise<string> =>
    server.kubectl(['get', ...args, `--output=jsonpath={${path}}`]);
  const rootIn = (namespace: string): Promise<string> =>
    get('.data.root-cert\\.pem', 'configmap', 'istio-ca-root-cert', '-n', namespace);
  const isRoot = (text: string): boolean => text.startsWith('-----BEGIN CERTIFICATE-----');

  async function token(name: string, namespace: string, of: string, audience: string): Promise<string> {
    const uid = await get('.metadata.uid', 'pod', name, '-n', namespace);
    const bound = [`--bound-object-kind=Pod`, `--bound-object-name=${name}`, `--bound-object-uid=${uid}`];
    return server.kubectl(['create', 'token', of, '-n', namespace, `--audience=${audience}`, ...bound]);
  }

  function transport(ca: string): ReturnType<typeof createGrpcTransport> {
    const baseUrl = `https://127.0.0.1:${plane.address.port}`;
    const sessionManager = new Http2SessionManager(baseUrl, {}, { ca, ALPNProtocols: ['h2'] });
    sessions.push(sessionManager);
    return createGrpcTransport({ baseUrl, sessionManager });
  }

  it('puts the root into namespaces, new ones within a second or so, and mends it', async () => {
    const root = await eventually(() => rootIn('bank'), isRoot);
    await server.kubectl(['create', 'namespace', 'branch']);
    expect(await eventually(() => rootIn('branch'), isRoot, 3000)).to.equal(root);
    await server.kubectl(['patch', 'configmap', 'istio-ca-root-cert', '-n', 'branch', '--patch={"data":{"root-cert.pem":"x"}}']);
    await eventually(() => rootIn('branch'), isRoot);
    await server.kubectl(['delete', 'configmap', 'istio-ca-root-cert', '-n', 'branch']);
    await eventually(() => rootIn('branch'), isRoot);
    const excluded = await rootIn('kube-public').catch((error: Error) => error.message);
    expect(excluded).to.include('not found');
  });

  it('knows proxies by their tokens, tells them workloads and certifies pods of their node', async () => {
    const ca = await eventually(() => rootIn('bank'), isRoot);
    const authorization = `Bearer ${(await token('ztunnel-a', system, 'ztunnel', 'istio-ca')).trim()}`;
    const discovery = new DiscoveryPeer(transport(ca), authorization);
    discovery.send({ node, typeUrl: ADDRESS_TYPE_URL });
    const names = (await discovery.next())?.resources.map(({ name }) => name);
    expect(names).to.include('Kubernetes//Pod/bank/ledger-0');
    discovery.reset();
    const certify = async (given: string, identity: string): Promise<number | string> => {
      const metadata = { ImpersonatedIdentity: `spiffe://cluster.local/ns/bank/sa/${identity}` };
      const request = { csr: await signingRequest(), metadata };
      return createClient(IstioCertificateService, transport(ca))
        .createCertificate(request, { headers: { authorization: given } })
        .then(
          ({ certChain }) => certChain.length,
          (error: unknown) => String(error),
        );
    };
    expect(await certify(authorization, 'ledger')).to.equal(2);
    expect(await certify(authorization, 'nobody')).to.include('unauthenticated');
    const others = `Bearer ${(await token('ztunnel-a', system, 'ztunnel', 'vault')).trim()}`;
    expect(await certify(others, 'ledger')).to.include('unauthenticated');
    const own = `Bearer ${(await token('ledger-0', 'bank', 'ledger', 'istio-ca')).trim()}`;
    expect([await certify(own, 'ledger'), await certify(own, 'nobody')].map(String)).to.deep.include('2');
  });

  it('says on the objects what became of them, once, and takes it back', async () => {
    const objects = [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'ledger', namespace: 'bank', labels: { 'istio.io/use-waypoint': 'gate' } },
        spec: { selector: { app: 'ledger' }, ports: [{ name: 'http', port: 80 }] },
      },
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'Gateway',
        metadata: { name: 'gate', namespace: 'bank' },
        spec: { gatewayClassName: 'clearmesh-waypoint', listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE' }] },
      },
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'HTTPRoute',
        metadata: { name: 'route', namespace: 'bank' },
        spec: {
          parentRefs: [{ group: '', kind: 'Service', name: 'ledger', port: 80 }],
          rules: [{ backendRefs: [{ name: 'nobody', port: 80 }] }],
        },
      },
      {
        apiVersion: 'security.istio.io/v1',
        kind: 'AuthorizationPolicy',
        metadata: { name: 'bad', namespace: 'bank' },
        spec: { rules: [{ from: [{ source: { ipBlocks: ['10.0.0.0/99'] } }] }] },
      },
    ];
    await server.apply(objects.map((object) => JSON.stringify(object)).join('\n---\n'));
    const status = (kind: string, name: string) => (): Promise<string> => get('.status', kind, name, '-n', 'bank');
    const service = status('service', 'ledger');
    await eventually(service, (text) => text.includes('WaypointIsNotReady'));
    await eventually(status('gateways.gateway.networking.k8s.io', 'gate'), (text) => text.includes('"type":"Programmed"'));
    await eventually(status('httproute', 'route'), (text) => text.includes('BackendNotFound'));
    const policy = status('authorizationpolicy', 'bad');
    await eventually(policy, (text) => text.includes('10.0.0.0/99') && text.includes('Everybody is refused in namespace bank'));
    const versions = (): Promise<string> =>
      get(
        '.items[*].metadata.resourceVersion',
        'services,httproutes,authorizationpolicies,gateways.gateway.networking.k8s.io',
        '-A',
      );
    const written = (await versions()).split(' ');
    // What is written of one more service is written after a look at all objects.
    const [service0] = objects;
    const another = { ...service0, metadata: { ...service0?.metadata, name: 'another' } };
    await server.apply(JSON.stringify(another));
    await eventually(status('service', 'another'), (text) => text.includes('WaypointIsNotReady'));
    expect((await versions()).split(' ')).to.include.members(written);
    await server.kubectl(['label', 'service', 'ledger', '-n', 'bank', 'istio.io/use-waypoint-']);
    await eventually(service, (text) => !text.includes('WaypointBound'));
    const mended = { spec: { rules: [{ from: [{ source: { ipBlocks: ['10.0.0.0/8'] } }] }] } };
    await server.kubectl([
      'patch',
      'authorizationpolicy',
      'bad',
      '-n',
      'bank',
      '--type=merge',
      '--patch',
      JSON.stringify(mended),
    ]);
    await eventually(policy, (text) => text.includes('enforced by the node proxies'));
  });

  it('gives a host an address that stays, until its owner names one', async () => {
    const entry = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { name: 'fx', namespace: 'bank' },
      spec: { hosts: ['fx.example'], ports: [{ number: 443, name: 'tls', protocol: 'TLS' }], resolution: 'DNS' },
    };
    const machine = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'WorkloadEntry',
      metadata: { name: 'vm', namespace: 'bank', labels: { 'istio.io/use-waypoint': 'nowhere' } },
      spec: { address: '198.51.100.1' },
    };
    await server.apply([entry, machine].map((object) => JSON.stringify(object)).join('\n---\n'));
    const addresses = (): Promise<string> => get('.status.addresses', 'serviceentry', 'fx', '-n', 'bank');
    const given = await eventually(addresses, (text) => text.includes('2001:2::'));
    expect(given).to.match(/"host":"fx\.example","value":"240\.240\.\d+\.\d+"/);
    await eventually(
      () => get('.status', 'workloadentry', 'vm', '-n', 'bank'),
      (text) => text.includes('WaypointIsNotReady'),
    );
    const wild = { ...entry, spec: { ...entry.spec, hosts: ['fx.example', '*.fx.example'] } };
    await server.apply(JSON.stringify(wild));
    await eventually(
      () => get('.status', 'serviceentry', 'fx', '-n', 'bank'),
      (text) => text.includes('NoWaypointForWildcardService'),
    );
    expect(await addresses()).to.equal(given);
    const fixed = { ...entry, spec: { ...entry.spec, addresses: ['203.0.113.77'] } };
    await server.apply(JSON.stringify(fixed));
    await eventually(addresses, (text) => !text.includes('240.240'));
  });

  it('reads a kind whose definition comes later', async () => {
    const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'ratelimitpolicies.clearmesh.io' },
      spec: {
        group: 'clearmesh.io',
        scope: 'Namespaced',
        names: { plural: 'ratelimitpolicies', singular: 'ratelimitpolicy', kind: 'RateLimitPolicy' },
        versions: [
          {
            name: 'v1alpha1',
            served: true,
            storage: true,
            subresources: { status: {} },
            schema: { openAPIV3Schema: { type: 'object', properties: { spec: open, status: open } } },
          },
        ],
      },
    };
    await server.apply(JSON.stringify(definition));
    await server.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', 'ratelimitpolicies.clearmesh.io']);
    const policy = {
      apiVersion: 'clearmesh.io/v1alpha1',
      kind: 'RateLimitPolicy',
      metadata: { name: 'calls', namespace: 'bank' },
      spec: { targetRefs: [{ kind: 'Service', name: 'nobody' }], limits: [{ name: 'all', requests: 5, window: '1s' }] },
    };
    await server.apply(JSON.stringify(policy));
    const status = (): Promise<string> => get('.status', 'ratelimitpolicy', 'calls', '-n', 'bank');
    await eventually(status, (text) => text.includes('TargetNotFound'));
  });

  it('needs no right that it does not have', () => {
    expect(log.filter((line) => /\b403\b|[Ff]orbidden|could not be written/.test(line))).to.deep.equal([]);
  });
});
