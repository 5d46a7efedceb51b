/** Hosts of ServiceEntries, beyond what recorded scenarios show (test/golden). */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { configurationFrom, entryTarget, gatewayText, modelFrom, namespaceText, objectText } from '../fixtures/manifest-text.ts';
import type { MeshModel } from '../../src/derive/mesh-model.ts';

const port = { number: 443, name: 'tls', protocol: 'TLS' };
const entry = (name: string, spec: object, metadata: object = {}): string =>
  objectText('ServiceEntry', name, { hosts: [`${name}.example`], ports: [port], resolution: 'STATIC', ...spec }, metadata);
const at = (minute: number): object => ({ creationTimestamp: `2026-01-01T00:0${minute}:00Z` });

function served({ services, workloads }: MeshModel): readonly string[] {
  return [
    ...services.map(
      ({ key, name, canonical, visibility }) => `${key} of ${name} ${canonical ? 'canonical' : 'other'} ${visibility}`,
    ),
    ...workloads.map(
      ({ uid, services: behind }) => `${uid.split('/').slice(-2).join('/')} behind ${[...behind.keys()].join(' ')}`,
    ),
  ].sort();
}

describe('a host of several ServiceEntries', () => {
  const endpoints = [{ address: '198.51.100.1' }];

  it('is the oldest one’s within a namespace, with its endpoints alone, and is said so to the other', () => {
    const model = modelFrom(
      entry('young', { hosts: ['fx.example', 'own.example'], endpoints: [{ address: '198.51.100.2' }] }, at(2)) +
        entry('old', { hosts: ['fx.example'], endpoints }, at(1)),
    );
    expect(served(model)).to.deep.equal([
      'ledger/fx.example of old canonical PUBLIC',
      'ledger/own.example of young canonical PUBLIC',
      'old/198.51.100.1 behind ledger/fx.example',
      'young/198.51.100.2 behind ledger/own.example',
    ]);
    expect(model.notes).to.deep.equal([
      {
        object: 'ServiceEntry ledger/young',
        message: 'host fx.example is that of ServiceEntry ledger/old, so that this entry is not asked for it',
      },
    ]);
  });

  it('is the next one’s when the older goes', () => {
    expect(served(modelFrom(entry('young', { hosts: ['fx.example'] }, at(2))))).to.deep.equal([
      'ledger/fx.example of young canonical PUBLIC',
    ]);
  });

  it('is told of every namespace, and the oldest that everybody sees is the canonical one', () => {
    const model = modelFrom(
      entry('a', { hosts: ['fx.example'], exportTo: ['.'] }, { ...at(1), namespace: 'a' }) +
        entry('b', { hosts: ['fx.example'] }, { ...at(2), namespace: 'b' }) +
        entry('c', { hosts: ['fx.example'] }, { ...at(3), namespace: 'c' }),
    );
    expect(served(model)).to.deep.equal([
      'a/fx.example of a other NAMESPACE',
      'b/fx.example of b canonical PUBLIC',
      'c/fx.example of c other PUBLIC',
    ]);
  });

  it('is never that of a Service of the cluster', () => {
    const hosts = ['s.bank.svc.cluster.local'];
    const service = '---\napiVersion: v1\nkind: Service\nmetadata: { name: s, namespace: bank }\n';
    const model = modelFrom(`${service}${entry('x', { hosts }, { namespace: 'bank' })}${entry('y', { hosts })}`);
    expect(served(model)).to.deep.equal([
      'bank/s.bank.svc.cluster.local of s canonical PUBLIC',
      'ledger/s.bank.svc.cluster.local of y other PUBLIC',
    ]);
    expect(model.notes.map(({ message }) => message)).to.deep.equal([
      'host s.bank.svc.cluster.local is that of a Service, so that this entry is not asked for it',
    ]);
  });
});

describe('a ServiceEntry that is exported to nobody', () => {
  it('is served neither as a service nor by its endpoints', () => {
    expect(served(modelFrom(entry('x', { exportTo: ['~'], endpoints: [{ address: '198.51.100.1' }] })))).to.deep.equal([]);
  });
});

describe('a ServiceEntry behind a waypoint', () => {
  const use = { labels: { 'istio.io/use-waypoint': 'gate' } };
  const text = (metadata: object): string =>
    namespaceText('ledger') +
    gatewayText('gate') +
    entry('rates', { addresses: ['203.0.113.1'], ports: [{ ...port, protocol: 'HTTP' }] }, metadata);

  it('is told to the waypoint, with the policies and routes that name it', () => {
    const { services } = configurationFrom(
      text(use) +
        objectText('OpaPolicy', 'four-eyes', {
          targetRefs: [entryTarget('rates')],
          engine: { server: { url: 'http://opa:8181' } },
        }) +
        objectText('HTTPRoute', 'r', { parentRefs: [entryTarget('rates')] }),
      'ledger/gate',
    );
    expect(services).to.have.length(1);
    expect(services[0]).to.deep.include({
      key: 'ledger/rates.example',
      ports: [{ port: 443, protocol: 'HTTP11' }],
      opa: ['OpaPolicy ledger/four-eyes'],
    });
    expect(services[0]?.routes.map(({ key }) => key)).to.deep.equal(['HTTPRoute ledger/r']);
  });

  it('is bound though the waypoint is missing, and opts out as a Service does', () => {
    const missing = modelFrom(entry('rates', {}, { labels: { 'istio.io/use-waypoint': 'nowhere' } }));
    expect(missing.services[0]?.waypoint).to.deep.include({ hostname: 'nowhere.ledger.svc.cluster.local' });
    expect(modelFrom(text({ labels: { 'istio.io/use-waypoint': 'none' } })).services[1]?.waypoint).to.equal(undefined);
  });

  it('of another namespace is refused when it is known in its own namespace alone', () => {
    const labels = { 'istio.io/use-waypoint': 'gate', 'istio.io/use-waypoint-namespace': 'ledger' };
    const model = modelFrom(
      gatewayText('gate', { allowed: { from: 'All' } }) + entry('x', { exportTo: ['.'] }, { namespace: 'bank', labels }),
    );
    const [binding] = [...model.bindings.services.values()];
    expect(binding).to.deep.include({ served: false, reason: 'CrossNamespaceWaypointForbidden' });
    expect(binding?.address).to.deep.include({ hostname: 'gate.ledger.svc.cluster.local' });
  });
});
