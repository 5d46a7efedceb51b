import { expect } from 'chai';
import { describe, it } from 'mocha';
import { withGatewayPods } from '../../src/deploy/gateway-pods.ts';
import { collectionsFrom, gatewayText, modelFrom, namespaceText, objectText, serviceText } from '../fixtures/manifest-text.ts';

const names = (objects: readonly { readonly metadata: { readonly name: string } }[]): readonly string[] =>
  objects.map(({ metadata }) => metadata.name);

describe('withGatewayPods', () => {
  it('makes the Service and the pods that a waypoint implies', () => {
    const { services, pods } = collectionsFrom(gatewayText('gate', { annotations: { 'clearmesh.io/replicas': '3' } }));
    expect(names(services)).to.deep.equal(['gate']);
    expect(services[0]?.spec).to.deep.equal({
      clusterIP: 'None',
      selector: { 'gateway.networking.k8s.io/gateway-name': 'gate' },
      ports: [{ name: 'mesh', port: 15_008, targetPort: 15_008, appProtocol: 'hbone' }],
    });
    expect(names(pods)).to.deep.equal(['gate-0', 'gate-1', 'gate-2']);
    expect(pods[0]?.spec?.serviceAccountName).to.equal('gate');
    expect(pods[0]?.metadata.labels).to.include({
      'gateway.networking.k8s.io/gateway-name': 'gate',
      'gateway.clearmesh.io/managed': 'clearmesh-mesh-controller',
      'istio.io/dataplane-mode': 'none',
    });
    expect(pods[0]?.status).to.equal(undefined);
  });

  it('makes pods that node proxies can dial as a waypoint', () => {
    const { workloads } = modelFrom(gatewayText('gate'), ['ledger/gate-0']);
    expect(workloads).to.have.length(1);
    expect(workloads[0]).to.deep.include({
      tunnelProtocol: 'HBONE',
      nativeTunnel: true,
      serviceAccount: 'gate',
      status: 'HEALTHY',
    });
    expect([...(workloads[0]?.services ?? [])]).to.deep.equal([
      ['ledger/gate.ledger.svc.cluster.local', [{ servicePort: 15_008, targetPort: 15_008 }]],
    ]);
  });

  it('changes nothing the second time', () => {
    const once = collectionsFrom(`${gatewayText('gate')}${serviceText('a')}`);
    const twice = withGatewayPods(once);
    expect(twice).to.deep.equal(once);
  });

  it('leaves alone what is written by hand', () => {
    const labels = { 'gateway.networking.k8s.io/gateway-name': 'gate' };
    const { pods, services } = collectionsFrom(
      `${gatewayText('gate')}${objectText('Pod', 'gate-0', { nodeName: 'node-z', serviceAccountName: 'gate' }, { labels })}${serviceText('gate', { labels })}`,
    );
    expect(pods.map(({ spec }) => spec?.nodeName)).to.deep.equal(['node-z']);
    expect(services[0]?.spec?.selector).to.deep.equal({ app: 'gate' });
  });

  it('keeps the order of collections', () => {
    const { services } = collectionsFrom(
      `${serviceText('a')}${serviceText('z')}${gatewayText('gate')}${gatewayText('b', { namespace: 'bank' })}`,
    );
    expect(services.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).to.deep.equal([
      'bank/b',
      'ledger/a',
      'ledger/gate',
      'ledger/z',
    ]);
  });

  const none: readonly [string, string][] = [
    ['of another class', gatewayText('gate', { className: 'istio' })],
    ['that names where it is', gatewayText('gate', { addresses: [{ type: 'Hostname', value: 'own.ledger.svc.cluster.local' }] })],
    ['of another revision', gatewayText('gate', { labels: { 'istio.io/rev': 'canary' } })],
  ];
  for (const [title, text] of none) {
    it(`makes nothing for a Gateway ${title}`, () => {
      const { pods, services } = collectionsFrom(`${namespaceText('ledger')}${text}`);
      expect([names(pods), names(services)]).to.deep.equal([[], []]);
    });
  }

  it('makes pods for one address of its own, as upstream', () => {
    expect(names(collectionsFrom(gatewayText('gate', { addresses: [{ value: '10.96.0.9' }] })).pods)).to.deep.equal(['gate-0']);
  });
});
