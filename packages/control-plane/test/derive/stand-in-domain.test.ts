/** BankingDomains that cannot be read and have no good version: which services stay behind which waypoint. */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { decodeAddress, encodeService } from '@clearmesh/shared/wire/wds';
import { waypointBound } from '../../src/report/service-status.ts';
import { clusterConfiguration, clusterModel } from '../fixtures/cluster-configuration.ts';
import type { WrittenObject } from '../fixtures/cluster-configuration.ts';

const waypoint = { name: 'gate', namespace: 'ledger' };
const ambient = { 'istio.io/dataplane-mode': 'ambient' };
const namespace = (name: string, labels: object = ambient): WrittenObject => ({ kind: 'Namespace', metadata: { name, labels } });
const service = (name: string, of: string): WrittenObject => ({
  kind: 'Service',
  metadata: { name, namespace: of },
  spec: { selector: { app: name }, ports: [{ name: 'http', port: 80 }] },
});
const domain = (name: string, spec: unknown): WrittenObject => ({ kind: 'BankingDomain', metadata: { name }, spec });
const gate: WrittenObject = {
  kind: 'Gateway',
  metadata: waypoint,
  spec: {
    gatewayClassName: 'clearmesh-waypoint',
    listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE', allowedRoutes: { namespaces: { from: 'All' } } }],
  },
};
const all = ['ledger', 'batch', 'cards', 'outside', 'own', 'clearmesh-system'];
const bank: readonly WrittenObject[] = [
  gate,
  ...['ledger', 'batch', 'cards', 'clearmesh-system'].map((name) => namespace(name)),
  namespace('outside', {}),
  namespace('own', { ...ambient, 'istio.io/use-waypoint': 'own' }),
  ...all.map((name) => service('a', name)),
];

/** Which waypoint each service is behind, by its namespace. */
function behind(...domains: readonly WrittenObject[]): Readonly<Record<string, string>> {
  const { bindings } = clusterModel([...bank, ...domains]);
  const found = [...bindings.services].map(([key, { gateway, address }]) => {
    expect(address, key).not.to.equal(undefined);
    return [key.split('/')[0]!, gateway] as const;
  });
  return Object.fromEntries(found.filter(([name]) => name !== 'own'));
}

const nobodys = (name: string): string => `clearmesh-system/unreadable_waypoint_of_${name}`;

describe('a BankingDomain that cannot be read', () => {
  it('keeps its services behind its waypoint, where both can be read', () => {
    const kept = { ledger: 'ledger/gate', batch: 'ledger/gate' };
    expect(behind(domain('books', { namespaces: ['ledger', 'batch'], waypoint, novelty: 1 }))).to.deep.equal(kept);
  });

  it('keeps everybody out of its services, where its waypoint cannot be read', () => {
    const objects = [...bank, domain('books', { namespaces: ['ledger', 'batch'], waypoint: 'gate' })];
    expect(behind(...objects.slice(-1))).to.deep.equal({ ledger: nobodys('books'), batch: nobodys('books') });
    const { services, bindings } = clusterModel(objects);
    const binding = bindings.services.get('ledger/a.ledger.svc.cluster.local' as never);
    expect(binding).to.include({ served: false, reason: 'WaypointIsNotReady' });
    expect(waypointBound(binding!, false).message).to.equal(
      'the waypoint of BankingDomain books cannot be read; calls are refused until it is',
    );
    // As a ztunnel is told: behind a waypoint that it will not find.
    const told = services.find(({ key }) => key.startsWith('ledger/'))!;
    const decoded = decodeAddress(encodeService(told));
    expect(decoded)
      .to.have.nested.property('service.waypoint.hostname')
      .that.matches(/^unreadable_waypoint_of_books\./);
  });

  it('keeps the whole mesh behind its waypoint, where its namespaces cannot be read', () => {
    const books = domain('books', { namespaces: 'ledger', waypoint });
    expect(behind(books)).to.deep.equal({ ledger: 'ledger/gate', batch: 'ledger/gate', cards: 'ledger/gate' });
    const other = domain('zcards', { namespaces: ['cards'] });
    expect(behind(books, other)).to.deep.equal({ ledger: 'ledger/gate', batch: 'ledger/gate' });
  });

  it('keeps everybody out of the mesh where nothing of it can be read, but not out of what another domain keeps', () => {
    const nothing = domain('books', 'nothing');
    const cards = domain('cards', { namespaces: ['cards'], waypoint });
    expect(behind(nothing, cards)).to.deep.equal({ ledger: nobodys('books'), batch: nobodys('books'), cards: 'ledger/gate' });
  });

  it('counts a namespace as of the mesh by its pods too', () => {
    const pod = { kind: 'Pod', metadata: { name: 'p', namespace: 'outside', labels: ambient }, spec: { containers: [] } };
    expect(behind(pod, domain('books', { waypoint, namespaces: 1 }))).to.have.property('outside', 'ledger/gate');
  });

  it('still says which of its services move money, so that no experiment touches them', () => {
    const money = { namespaces: ['ledger'], waypoint, defaults: { resilience: { class: 'money-movement' } }, novelty: 1 };
    const spec = {
      targetRefs: [{ kind: 'Service', name: 'a' }],
      startsAt: '2026-01-01T00:00:00Z',
      owner: 'ann',
      approver: 'bob',
    };
    const drill = { kind: 'FaultExperiment', metadata: { name: 'drill', namespace: 'ledger' }, spec: { ...spec, delay: '1s' } };
    const test = namespace('ledger', { 'clearmesh.io/environment': 'test' });
    const { problems, collections } = clusterConfiguration([test, drill, domain('books', money)]);
    expect(problems.map(({ object, field }) => `${object} ${field}`)).to.include(
      'FaultExperiment ledger/drill spec.targetRefs[0].name',
    );
    expect(collections.faultExperiments).to.deep.equal([]);
  });

  it('says what it does in each of its problems', () => {
    const { problems } = clusterConfiguration([domain('books', { namespaces: ['a'], waypoint: 'gate', novelty: 1 })]);
    expect(problems.map(({ object, effect }) => `${object}: ${effect}`)).to.deep.equal(
      Array.from(
        { length: 2 },
        () =>
          'BankingDomain books: Its waypoint cannot be read: nobody reaches the services of the namespaces a, where they name no waypoint themselves, until it is mended.',
      ),
    );
  });
});
