import { expect } from 'chai';
import { describe, it } from 'mocha';
import { serviceKey } from '@clearmesh/shared/model/names';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import { gatewayText, modelFrom, namespaceText, objectText, serviceText } from '../fixtures/manifest-text.ts';
import type { MeshModel } from '../../src/derive/mesh-model.ts';

const use = (name: string, namespace?: string): Readonly<Record<string, string>> => ({
  'istio.io/use-waypoint': name,
  ...(namespace === undefined ? {} : { 'istio.io/use-waypoint-namespace': namespace }),
});
const ready = ['ledger/gate-0'];
const pod = (labels: Readonly<Record<string, string>> = {}): string =>
  `${objectText('Pod', 'a-0', { nodeName: 'node-a' }, { labels: { app: 'a', ...labels } })}status: { podIP: 10.244.1.1 }\n`;

function textOf(address: GatewayAddress | undefined): string {
  if (address === undefined) return 'direct';
  return address.kind === 'hostname'
    ? `${address.namespace}/${address.hostname}:${address.hboneMtlsPort}`
    : `${address.address.ip}:${address.hboneMtlsPort}`;
}

/** Where traffic to Service a goes, why, and whether the waypoint is told of it. */
function bindingOf(text: string, namespace = 'ledger'): string {
  const model = modelFrom(text, ready);
  const key = serviceKey(namespace, `a.${namespace}.svc.cluster.local`);
  const address = model.services.find((service) => service.key === key)?.waypoint;
  const binding = model.bindings.services.get(key);
  expect(binding?.address, 'address').to.deep.equal(address);
  const told = toldOf(model, key) ? 'served' : 'not served';
  expect(binding?.served ?? false, 'served').to.equal(told === 'served');
  return `${textOf(address)} ${binding?.reason ?? 'unbound'} ${told}`;
}

function toldOf({ waypoints }: MeshModel, key: string): boolean {
  return waypoints.some(({ services }) => services.some((service) => service.key === key));
}

const gate = 'ledger/gate.ledger.svc.cluster.local:15008';

describe('the waypoint of a service', () => {
  const table: readonly [string, string, string, string?][] = [
    [
      'is the one its label names',
      `${gatewayText('gate')}${serviceText('a', { labels: use('gate') })}`,
      `${gate} WaypointAccepted served`,
    ],
    [
      'is the one its namespace names',
      `${namespaceText('ledger', use('gate'))}${gatewayText('gate')}${serviceText('a')}`,
      `${gate} WaypointAccepted served`,
    ],
    ['is none without a label', `${gatewayText('gate')}${serviceText('a')}`, 'direct unbound not served'],
    [
      'is none where it opts out',
      `${namespaceText('ledger', use('gate'))}${gatewayText('gate')}${serviceText('a', { labels: use('none') })}`,
      'direct unbound not served',
    ],
    [
      'is required though it is missing',
      serviceText('a', { labels: use('gone') }),
      'ledger/gone.ledger.svc.cluster.local:15008 WaypointIsNotReady not served',
    ],
    [
      'is the missing one it names, and never the namespace’s instead',
      `${namespaceText('ledger', use('gate'))}${gatewayText('gate')}${serviceText('a', { labels: use('gone') })}`,
      'ledger/gone.ledger.svc.cluster.local:15008 WaypointIsNotReady not served',
    ],
    [
      'is required though it is of another class',
      `${gatewayText('gate', { className: 'istio' })}${serviceText('a', { labels: use('gate') })}`,
      `${gate} WaypointIsNotReady not served`,
    ],
    [
      'is required, and told of the service, before a pod of it is ready',
      `${gatewayText('other')}${serviceText('a', { labels: use('other') })}`,
      'ledger/other.ledger.svc.cluster.local:15008 WaypointIsNotReady served',
    ],
    [
      'is required though it does not admit the namespace',
      `${gatewayText('gate')}${serviceText('a', { namespace: 'bank', labels: use('gate', 'ledger') })}`,
      `${gate} AttachmentDenied not served`,
      'bank',
    ],
    [
      'may be in another namespace that admits all',
      `${gatewayText('gate', { allowed: { from: 'All' } })}${serviceText('a', { namespace: 'bank', labels: use('gate', 'ledger') })}`,
      `${gate} WaypointAccepted served`,
      'bank',
    ],
    [
      'may be in another namespace that admits this one by label',
      `${namespaceText('bank', { tier: 'gold' })}${gatewayText('gate', { allowed: { from: 'Selector', selector: { matchLabels: { tier: 'gold' } } } })}${serviceText('a', { namespace: 'bank', labels: use('gate', 'ledger') })}`,
      `${gate} WaypointAccepted served`,
      'bank',
    ],
    [
      'may be in another namespace that admits this one by name',
      `${gatewayText('gate', { allowed: { from: 'Selector', selector: { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: ['bank'] }] } } })}${serviceText('a', { namespace: 'bank', labels: use('gate', 'ledger') })}`,
      `${gate} WaypointAccepted served`,
      'bank',
    ],
    [
      'does not admit by a label that is missing',
      `${gatewayText('gate', { allowed: { from: 'Selector', selector: { matchExpressions: [{ key: 'tier', operator: 'Exists' }] } } })}${serviceText('a', { namespace: 'bank', labels: use('gate', 'ledger') })}`,
      `${gate} AttachmentDenied not served`,
      'bank',
    ],
    [
      'is required by an own label though it takes no services',
      `${gatewayText('gate', { labels: { 'istio.io/waypoint-for': 'workload' } })}${serviceText('a', { labels: use('gate') })}`,
      `${gate} UnsupportedTrafficType not served`,
    ],
    [
      'is none where the namespace names one that takes no services',
      `${namespaceText('ledger', use('gate'))}${gatewayText('gate', { labels: { 'istio.io/waypoint-for': 'workload' } })}${serviceText('a')}`,
      'direct UnsupportedTrafficType not served',
    ],
    [
      'takes services as an annotation says',
      `${gatewayText('gate', { annotations: { 'istio.io/waypoint-for': 'all' } })}${serviceText('a', { labels: use('gate') })}`,
      `${gate} WaypointAccepted served`,
    ],
    [
      'is where the Gateway says by name',
      `${gatewayText('gate', { addresses: [{ type: 'Hostname', value: 'own.vault.svc.cluster.local' }] })}${serviceText('a', { labels: use('gate') })}`,
      'vault/own.vault.svc.cluster.local:15008 WaypointIsNotReady served',
    ],
    [
      'is where the Gateway says by several addresses',
      `${gatewayText('gate', { addresses: [{ value: '10.96.0.8' }, { value: '10.96.0.9' }] })}${serviceText('a', { labels: use('gate') })}`,
      '10.96.0.8:15008 WaypointIsNotReady served',
    ],
  ];
  for (const [title, text, expected, namespace] of table) {
    it(title, () => {
      expect(bindingOf(text, namespace)).to.equal(expected);
    });
  }

  it('is never one for the Service of a waypoint', () => {
    const { services } = modelFrom(`${namespaceText('ledger', use('gate'))}${gatewayText('gate')}`, ready);
    expect(services.map(({ waypoint }) => textOf(waypoint))).to.deep.equal(['direct']);
  });
});

describe('the waypoint of a pod', () => {
  const of = (text: string): string => {
    const { workloads, waypoints } = modelFrom(text, ready);
    const a = workloads.find(({ name }) => name === 'a-0');
    const told = waypoints.some((waypoint) => waypoint.workloads.some((uid) => uid === a?.uid));
    return `${textOf(a?.waypoint)}${told ? ' served' : ''}`;
  };
  const forWorkloads = gatewayText('gate', { labels: { 'istio.io/waypoint-for': 'workload' } });
  const table: readonly [string, string, string][] = [
    ['is the one its label names', `${forWorkloads}${pod(use('gate'))}`, `${gate} served`],
    ['is the one its namespace names', `${namespaceText('ledger', use('gate'))}${forWorkloads}${pod()}`, `${gate} served`],
    [
      'is none where its namespace names one for services',
      `${namespaceText('ledger', use('gate'))}${gatewayText('gate')}${pod()}`,
      'direct',
    ],
    ['is required by an own label though it takes services only', `${gatewayText('gate')}${pod(use('gate'))}`, gate],
    ['is required though it is missing', pod(use('gone')), 'ledger/gone.ledger.svc.cluster.local:15008'],
    ['is not taken from the Service before it', `${forWorkloads}${serviceText('a', { labels: use('gate') })}${pod()}`, 'direct'],
    ['is none where it opts out', `${namespaceText('ledger', use('gate'))}${forWorkloads}${pod(use('none'))}`, 'direct'],
  ];
  for (const [title, text, expected] of table) {
    it(title, () => {
      expect(of(text)).to.equal(expected);
    });
  }

  it('is never one for the pods of a waypoint', () => {
    const all = gatewayText('gate', { labels: { 'istio.io/waypoint-for': 'all' } });
    const { workloads } = modelFrom(`${namespaceText('ledger', use('gate'))}${all}`, ready);
    expect(workloads.map(({ name, waypoint }) => `${name} ${textOf(waypoint)}`)).to.deep.equal(['gate-0 direct']);
  });
});
