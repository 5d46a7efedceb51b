/** Waypoints of the chart in a real Kubernetes: Gateway and overlay in, pods that Pod Security "restricted" takes out. */
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { askUntil } from '@clearmesh/shared/testing/ask-until';
import { ApiServer } from '@clearmesh/shared/testing/kubernetes/api-server';
import { installDefinitions } from '@clearmesh/shared/testing/kubernetes/custom-resources';
import { startFromChart, system } from './chart-control-plane.ts';
import { chartObjects, textOf } from './charts.ts';
import type { ControlPlane } from '../../src/control-plane.ts';

const controllers = [
  'deployment-controller',
  'replicaset-controller',
  'endpointslice-controller',
  'garbage-collector-controller',
  'serviceaccount-controller',
  'namespace-controller',
];
const everything = [
  'name=ledger-waypoint,autoscaling.enabled=true,allowedRoutes.from=All,criticality=high',
  'domainKeySecret=ledger-key,bundles.four-eyes.configMap.name=rules,env.OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318',
  'nodeSelector.zone=vault,priorityClassName=system-cluster-critical,serviceAnnotations.owner=ledger',
];

describe('waypoints of the chart in a real Kubernetes', function () {
  this.timeout(120_000);
  let server: ApiServer;
  let plane: ControlPlane;
  const log: string[] = [];

  before(async function () {
    // The programs may have to be built first.
    this.timeout(3_600_000);
    server = await ApiServer.start({ controllers });
    await installDefinitions(server);
    await server.applyFile(new URL('../../../../charts/base/files/crds', import.meta.url).pathname);
    await server.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
    for (const name of [system, 'ledger', 'cards']) await server.kubectl(['create', 'namespace', name]);
    await server.kubectl(['label', 'namespace', 'ledger', 'pod-security.kubernetes.io/enforce=restricted']);
    plane = await startFromChart(server, ['global.tag=1.2.3'], log);
  });

  after(async () => {
    await plane?.[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  /** The first text that fits. */
  async function eventually(fits: (text: string) => boolean, ...args: readonly string[]): Promise<string> {
    const ask = (): Promise<string> => server.kubectl(args).catch(String);
    const text = await askUntil(fits, ask, { limitMs: 30_000, pauseMs: 100 });
    if (fits(text)) return text;
    throw new Error(`not in time: kubectl ${args.join(' ')}; last: ${text}\n${log.slice(-20).join('')}`);
  }

  const made = async (what: string, namespace = 'ledger'): Promise<Made> =>
    JSON.parse(await eventually((text) => text.startsWith('{'), 'get', what, '-n', namespace, '-o', 'json')) as Made;
  const condition = (name: string, type: string, namespace = 'ledger'): readonly string[] => [
    'get',
    `gateway/${name}`,
    '-n',
    namespace,
    '-o',
    `jsonpath={range .status.conditions[?(@.type=="${type}")]}{.status} {.reason}: {.message}{end}`,
  ];

  it('have a class that is made and accepted', async () => {
    const path = 'jsonpath={.spec.controllerName} {range .status.conditions[?(@.type=="Accepted")]}{.status} {.reason}{end}';
    const accepted = 'clearmesh.io/mesh-controller True Accepted';
    for (const name of ['clearmesh-waypoint', 'istio-waypoint'])
      await eventually((text) => text === accepted, 'get', 'gatewayclass', name, '-o', path);
  });

  it('are made of what Gateway and overlay say together', async () => {
    const chart = await chartObjects('waypoint', 'ledger', everything);
    await server.apply(textOf(chart));
    const { metadata, spec } = await made('deployment/ledger-waypoint');
    expect(metadata.ownerReferences?.map(({ kind, name }) => `${kind} ${name}`)).to.deep.equal(['Gateway ledger-waypoint']);
    const [container] = spec.template.spec.containers;
    expect(container?.image).to.equal('clearmesh/waypoint:1.2.3');
    expect(container?.resources.requests).to.deep.equal({ cpu: '100m', memory: '256Mi' });
    const env = Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));
    expect(env).to.include({
      XDS_ADDRESS: `https://clearmesh-control-plane.${system}.svc:15012`,
      DOMAIN_KEY_FILE: '/etc/clearmesh/domain-key/key',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
      OTEL_RESOURCE_ATTRIBUTES: 'service.criticality=high',
    });
    expect(container?.volumeMounts.map(({ mountPath }) => mountPath)).to.include.members([
      '/var/run/secrets/tokens',
      '/var/run/secrets/istio',
      '/etc/clearmesh/domain-key',
      '/etc/clearmesh/bundles/four-eyes',
    ]);
    expect(spec.template.spec).to.deep.include({ nodeSelector: { zone: 'vault' }, priorityClassName: 'system-cluster-critical' });
    expect(spec.template.metadata.labels).to.include({
      'istio.io/dataplane-mode': 'none',
      'app.kubernetes.io/part-of': 'clearmesh',
    });
    const service = await made('service/ledger-waypoint');
    expect(service.metadata.annotations).to.include({ owner: 'ledger' });
    const scaler = (await made('hpa/ledger-waypoint')).spec as unknown as Readonly<Record<string, unknown>>;
    expect(scaler).to.include({ minReplicas: 2, maxReplicas: 10 });
    const budget = (await made('pdb/ledger-waypoint')).spec as unknown as Readonly<Record<string, unknown>>;
    expect(budget).to.include({ minAvailable: 1 });
  });

  it('get pods, though the namespace enforces Pod Security "restricted"', async () => {
    const pods = await eventually((text) => text !== '', 'get', 'pods', '-n', 'ledger', '-o', 'name');
    expect(pods).to.match(/^pod\/ledger-waypoint-/);
  });

  it('are said to be programmed once a pod is ready, with addresses of their Service', async () => {
    await eventually((text) => text.startsWith('False AddressNotAssigned'), ...condition('ledger-waypoint', 'Programmed'));
    const pods = await server.kubectl(['get', 'pods', '-n', 'ledger', '-o', 'name']);
    const ready = { type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' };
    const status = { phase: 'Running', podIP: '10.1.0.9', podIPs: [{ ip: '10.1.0.9' }], conditions: [ready] };
    const [pod = ''] = pods.trim().split('\n');
    await server.kubectl([
      'patch',
      pod,
      '-n',
      'ledger',
      '--subresource=status',
      '--type=merge',
      '-p',
      JSON.stringify({ status }),
    ]);
    await eventually((text) => text.startsWith('True Programmed'), ...condition('ledger-waypoint', 'Programmed'));
    const ip = await server.kubectl(['get', 'service/ledger-waypoint', '-n', 'ledger', '-o', 'jsonpath={.spec.clusterIP}']);
    const addresses = ['get', 'gateway/ledger-waypoint', '-n', 'ledger', '-o', 'jsonpath={.status.addresses[*].value}'];
    expect(await server.kubectl(addresses)).to.equal(`${ip} ledger-waypoint.ledger.svc.cluster.local`);
  });

  it('keep the scale that an autoscaler gives them', async () => {
    await server.kubectl(['scale', 'deployment/ledger-waypoint', '-n', 'ledger', '--replicas=3']);
    await server.kubectl([
      'label',
      'deployment/ledger-waypoint',
      '-n',
      'ledger',
      'gateway.networking.k8s.io/gateway-class-name=x',
      '--overwrite',
    ]);
    const path = 'jsonpath={.spec.replicas} {.metadata.labels.gateway\\.networking\\.k8s\\.io/gateway-class-name}';
    const mended = '3 clearmesh-waypoint';
    await eventually((text) => text === mended, 'get', 'deployment/ledger-waypoint', '-n', 'ledger', '-o', path);
  });

  it('are as many as the chart says where nothing scales them', async () => {
    const chart = await chartObjects('waypoint', 'cards', ['replicas=3']);
    await server.apply(textOf(chart));
    expect((await made('deployment/waypoint', 'cards')).spec.replicas).to.equal(3);
    expect((await made('pdb/waypoint', 'cards')).spec).to.have.property('minAvailable', 1);
  });

  it('serve the domain that names them, and say how critical it is', async () => {
    const metadata = { name: 'cards' };
    const spec = { namespaces: ['cards'], waypoint: { name: 'waypoint', namespace: 'cards' }, criticality: 'high' };
    const domain = { apiVersion: 'clearmesh.io/v1alpha1', kind: 'BankingDomain', metadata, spec };
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'issue', namespace: 'cards' },
      spec: { ports: [{ port: 80 }] },
    };
    await server.apply(textOf([domain, service]));
    const path = 'jsonpath={range .status.conditions[*]}{.type} {.status} {.reason}{end}';
    await eventually((text) => text === 'Accepted True Accepted', 'get', 'cmdom/cards', '-o', path);
    const bound = ['get', 'service/issue', '-n', 'cards', '-o', path];
    await eventually((text) => text.startsWith('istio.io/WaypointBound False WaypointIsNotReady'), ...bound);
    const env = 'jsonpath={.spec.template.spec.containers[0].env[?(@.name=="OTEL_RESOURCE_ATTRIBUTES")].value}';
    await eventually((text) => text === 'service.criticality=high', 'get', 'deployment/waypoint', '-n', 'cards', '-o', env);
  });

  it('stay as they are while the overlay cannot be used, and the Gateway says why', async () => {
    const patch = JSON.stringify({ data: { deployment: 'spec: { template: { spec: { hostNetwork: true } } }' } });
    await server.kubectl(['patch', 'configmap/waypoint-overlay', '-n', 'cards', '--type=merge', '-p', patch]);
    const told = await eventually((text) => text.startsWith('False'), ...condition('waypoint', 'Accepted', 'cards'));
    expect(told).to.match(/^False InvalidParameters: ConfigMap cards\/waypoint-overlay, key deployment, .*hostNetwork/);
    expect((await made('deployment/waypoint', 'cards')).spec.replicas).to.equal(3);
  });

  it('go with their Gateway, and do not come back', async () => {
    await server.kubectl(['delete', 'gateway/ledger-waypoint', '-n', 'ledger']);
    const all = ['get', 'deployment,service,serviceaccount,hpa,pdb', '-n', 'ledger', '-o', 'name'];
    const rest = (text: string): readonly string[] => text.split('\n').filter((line) => line.includes('ledger-waypoint'));
    await eventually((text) => rest(text).length === 0, ...all);
    // Made after it, so that what was on its way has passed.
    const gateway = (await chartObjects('waypoint', 'ledger', ['name=second'])).filter(({ kind }) =>
      /Gateway|ConfigMap/.test(kind),
    );
    await server.apply(textOf(gateway));
    await made('service/second');
    expect(rest(await server.kubectl(all))).to.deep.equal([]);
  });

  it('need no right that the chart does not give', () => {
    expect(log.filter((line) => /forbidden/i.test(line))).to.deep.equal([]);
  });
});

type Made = {
  readonly metadata: {
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[];
  };
  readonly spec: {
    readonly replicas?: number;
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: {
        readonly containers: readonly {
          readonly image: string;
          readonly resources: { readonly requests: unknown };
          readonly env: readonly { readonly name: string; readonly value?: string }[];
          readonly volumeMounts: readonly { readonly mountPath: string }[];
        }[];
      };
    };
  };
};
