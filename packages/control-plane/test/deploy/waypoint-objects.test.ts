import { expect } from 'chai';
import { describe, it } from 'mocha';
import { waypointContainer } from '../../src/deploy/waypoint-container.ts';
import { gateway } from '../fixtures/gateways.ts';
import { objectsOf, podOf, refusal } from '../fixtures/made-waypoint.ts';
import { waypointOptions } from '../fixtures/waypoint-options.ts';

describe('waypointObjects', () => {
  it('makes account, deployment and service, owned by the Gateway', () => {
    const objects = objectsOf(gateway('gate'));
    expect([...objects.keys()]).to.deep.equal(['ServiceAccount', 'Deployment', 'Service']);
    for (const { metadata } of objects.values()) {
      expect(metadata).to.deep.equal({
        ...metadata,
        name: 'gate',
        namespace: 'ledger',
        ownerReferences: [{ apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway', name: 'gate', uid: 'uid-gate' }],
      });
      expect(metadata.labels).to.deep.equal({
        'gateway.networking.k8s.io/gateway-name': 'gate',
        'gateway.networking.k8s.io/gateway-class-name': 'clearmesh-waypoint',
        'gateway.clearmesh.io/managed': 'clearmesh-mesh-controller',
      });
    }
  });

  it('gives the process what it reads from its environment', () => {
    const { env } = podOf(objectsOf(gateway('gate'))).containers[0]!;
    expect(
      Object.fromEntries(env.map(({ name, value, valueFrom }) => [name, value ?? valueFrom?.fieldRef.fieldPath])),
    ).to.deep.equal({
      GATEWAY_NAME: 'gate',
      POD_NAME: 'metadata.name',
      POD_NAMESPACE: 'metadata.namespace',
      NODE_NAME: 'spec.nodeName',
      INSTANCE_IP: 'status.podIP',
      SERVICE_ACCOUNT: 'spec.serviceAccountName',
      XDS_ADDRESS: 'https://clearmesh-control-plane.clearmesh-system.svc:15012',
      XDS_ROOT_CA: '/var/run/secrets/istio/root-cert.pem',
      CA_ADDRESS: 'https://clearmesh-control-plane.clearmesh-system.svc:15012',
      CA_ROOT_CA: '/var/run/secrets/istio/root-cert.pem',
      TRUST_BUNDLE_PATH: '/var/run/secrets/istio/root-cert.pem',
      AUTH_TOKEN: '/var/run/secrets/tokens/istio-token',
      CLUSTER_ID: 'Kubernetes',
      TRUST_DOMAIN: 'cluster.local',
      NETWORK: '',
      TERMINATION_GRACE_PERIOD_SECONDS: '30',
      RUST_LOG: 'info',
      LOG_FORMAT: 'plain',
    });
  });

  it('has a waypoint with the label of its own network take callers of others', () => {
    const labelled = gateway('gate', { labels: { 'topology.istio.io/network': 'west' } });
    const flag = (network: string): unknown =>
      (waypointContainer(labelled, { ...waypointOptions, network })['env'] as readonly object[]).some(
        (each) => 'name' in each && each.name === 'NETWORK_GATEWAY',
      );
    expect(['west', 'east', ''].map(flag)).to.deep.equal([true, false, false]);
  });

  it('makes pods without rights, spread over zones and nodes', () => {
    const pod = podOf(objectsOf(gateway('gate')));
    expect(pod).to.deep.include({
      serviceAccountName: 'gate',
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 30,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    });
    expect(pod.topologySpreadConstraints.map((each) => `${each.topologyKey} ${each.whenUnsatisfiable}`)).to.deep.equal([
      'topology.kubernetes.io/zone ScheduleAnyway',
      'kubernetes.io/hostname ScheduleAnyway',
    ]);
  });

  it('says how critical the domain is to whoever receives the traces', () => {
    const { env } = podOf(objectsOf(gateway('gate', { labels: { 'clearmesh.io/criticality': 'critical' } }))).containers[0]!;
    expect(env).to.deep.include({ name: 'OTEL_RESOURCE_ATTRIBUTES', value: 'service.criticality=critical' });
  });

  it('makes as many replicas as the Gateway asks for, and keeps one of several while nodes are drained', () => {
    const objects = objectsOf(gateway('gate', { annotations: { 'clearmesh.io/replicas': '3' } }));
    expect(objects.get('Deployment')?.spec).to.have.property('replicas', 3);
    expect(objects.get('PodDisruptionBudget')?.spec).to.deep.include({ minAvailable: 1 });
  });

  it('leaves the number of replicas to others where nothing is asked for', () => {
    expect(objectsOf(gateway('gate')).get('Deployment')?.spec).not.to.have.property('replicas');
  });

  it('copies labels and annotations of the Gateway, but none with a meaning of their own', () => {
    const labels = {
      team: 'ledger',
      'istio.io/waypoint-for': 'all',
      'istio.io/use-waypoint': 'other',
      'clearmesh.io/criticality': 'critical',
    };
    const annotations = {
      ticket: 'CHG-7',
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
      'argocd.argoproj.io/tracking-id': 'x',
      'networking.istio.io/service-type': 'LoadBalancer',
    };
    const objects = objectsOf(gateway('gate', { labels, annotations }));
    expect(Object.keys(objects.get('ServiceAccount')?.metadata.labels ?? {}))
      .to.have.length(4)
      .and.to.include('team');
    expect(objects.get('ServiceAccount')?.metadata.annotations).to.deep.equal({ ticket: 'CHG-7' });
    expect(objects.get('Service')?.spec).to.have.property('type', 'LoadBalancer');
  });

  it('takes labels and annotations from the infrastructure alone where there is one', () => {
    const objects = objectsOf(
      gateway('gate', { labels: { team: 'ledger' }, infrastructure: 'labels: { cost: c-1 }\nannotations: { owner: mesh }' }),
    );
    const { labels, annotations } = objects.get('ServiceAccount')!.metadata;
    expect(labels).to.include({ cost: 'c-1' }).and.not.have.property('team');
    expect(annotations).to.deep.equal({ owner: 'mesh' });
  });

  it('cannot be made to lose its marks by labels of the Gateway', () => {
    const objects = objectsOf(
      gateway('gate', {
        infrastructure: `labels: { gateway.networking.k8s.io/gateway-name: other, gateway.clearmesh.io/managed: nobody, istio.io/dataplane-mode: ambient }`,
      }),
    );
    expect(objects.get('Service')?.metadata.labels).to.include({
      'gateway.networking.k8s.io/gateway-name': 'gate',
      'gateway.clearmesh.io/managed': 'clearmesh-mesh-controller',
    });
  });

  it('names the container as overlays written for Istio expect it', () => {
    expect(podOf(objectsOf(gateway('gate', { className: 'istio-waypoint' }))).containers[0]?.name).to.equal('istio-proxy');
    expect(podOf(objectsOf(gateway('gate'))).containers[0]?.name).to.equal('waypoint');
  });

  it('makes nothing for a Gateway without a uid', () => {
    expect(refusal(gateway('gate', { uid: '' }))).to.include('metadata.uid');
  });
});
