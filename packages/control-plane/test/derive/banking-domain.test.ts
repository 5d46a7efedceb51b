import { expect } from 'chai';
import { describe, it } from 'mocha';
import { gatewaysOfDomains, withDomains } from '../../src/derive/banking-domain.ts';
import { derive } from '../../src/derive/derive.ts';
import { defaultDeriveOptions } from '../../src/derive/options.ts';
import { reportStatus } from '../../src/report/report.ts';
import { domainText } from '../fixtures/domain-text.ts';
import {
  collectionsFrom,
  configurationFrom,
  gatewayText,
  modelFrom,
  namespaceText,
  objectText,
  serviceTarget,
  serviceText,
} from '../fixtures/manifest-text.ts';
import { now } from '../fixtures/derivation.ts';

const waypoint = { name: 'gate', namespace: 'ledger' };
const gate = gatewayText('gate', { allowed: { from: 'All' } });
const services = `${serviceText('a')}${serviceText('a', { namespace: 'batch' })}${serviceText('a', { namespace: 'cards' })}`;
const domain = (spec: object = {}): string => domainText('books', { namespaces: ['ledger', 'batch'], waypoint, ...spec });

function gatewaysOf(text: string): Readonly<Record<string, string>> {
  const { services: bindings } = modelFrom(text, ['ledger/gate-0']).bindings;
  return Object.fromEntries([...bindings].map(([key, { gateway, reason }]) => [key.split('/')[0], `${gateway} ${reason}`]));
}

describe('a BankingDomain', () => {
  it('gives its namespaces its waypoint, written down or not, and no others', () => {
    const bound = { ledger: 'ledger/gate WaypointAccepted', batch: 'ledger/gate WaypointAccepted' };
    expect(gatewaysOf(`${gate}${services}${domain()}`)).to.deep.equal(bound);
    expect(gatewaysOf(`${namespaceText('batch', { team: 'night' })}${gate}${services}${domain()}`)).to.deep.equal(bound);
  });

  it('yields to what a namespace or a Service says itself', () => {
    const own = namespaceText('batch', { 'istio.io/use-waypoint': 'none' });
    expect(gatewaysOf(`${own}${gate}${services}${domain()}`)).to.deep.equal({ ledger: 'ledger/gate WaypointAccepted' });
    const other = serviceText('a', { namespace: 'batch', labels: { 'istio.io/use-waypoint': 'other' } });
    expect(gatewaysOf(`${gate}${serviceText('a')}${other}${domain()}`)).to.have.property(
      'batch',
      'batch/other WaypointIsNotReady',
    );
  });

  it('binds to a waypoint that is not there, so that nothing goes past it', () => {
    expect(gatewaysOf(`${services}${domain()}`)).to.deep.equal({
      ledger: 'ledger/gate WaypointIsNotReady',
      batch: 'ledger/gate WaypointIsNotReady',
    });
  });

  it('keeps the other labels of a namespace', () => {
    const { namespaces } = withDomains(
      collectionsFrom(`${namespaceText('batch', { team: 'night' })}${gate}${domain()}`),
      defaultDeriveOptions,
    );
    expect(namespaces.get('batch')?.metadata.labels).to.deep.equal({
      team: 'night',
      'istio.io/use-waypoint': 'gate',
      'istio.io/use-waypoint-namespace': 'ledger',
    });
  });

  it('has defaults that every policy beats', () => {
    const defaults = { resilience: { timeouts: { request: '7s' } } };
    const requestMs = (text: string): unknown => {
      const told = configurationFrom(`${gate}${serviceText('a')}${domain({ defaults })}${text}`, 'ledger/gate');
      return /"requestMs":(\d+)/.exec(JSON.stringify(told))?.[1];
    };
    expect(requestMs('')).to.equal('7000');
    for (const target of [{ kind: 'Namespace', name: 'ledger' }, serviceTarget('a')]) {
      const policy = objectText('ResiliencePolicy', 'z', { targetRefs: [target], timeouts: { request: '2s' } });
      expect(requestMs(policy)).to.equal('2000');
    }
  });

  it('says how critical its waypoint is, unless the Gateway does', () => {
    const labelsOf = (text: string): unknown =>
      gatewaysOfDomains(collectionsFrom(`${text}${domain({ criticality: 'high' })}`))[0]?.metadata.labels;
    expect(labelsOf(gate)).to.include({ 'clearmesh.io/criticality': 'high' });
    expect(labelsOf(gatewayText('gate', { labels: { 'clearmesh.io/criticality': 'low' } }))).to.include({
      'clearmesh.io/criticality': 'low',
    });
  });

  const told: readonly [string, string, string][] = [
    [
      'serves its services',
      `${gate}${services}${domain()}`,
      'True Accepted: Gateway ledger/gate serves 2 services of the domain',
    ],
    [
      'is missing',
      domain(),
      'False TargetNotFound: there is no Gateway ledger/gate; calls to services of the domain are refused',
    ],
    [
      'does not admit all of them',
      `${gatewayText('gate')}${services}${domain()}`,
      'False AttachmentDenied: Gateway ledger/gate does not admit batch/a.batch.svc.cluster.local (allowedRoutes of its listener); calls to them are refused',
    ],
    ['is none', `${services}${domain({ waypoint: undefined })}`, 'True Accepted: the domain has no waypoint of its own'],
  ];
  for (const [title, text, expected] of told) {
    it(`says that its waypoint ${title}`, () => {
      const collections = collectionsFrom(text);
      const configured = { collections, model: derive(collections, defaultDeriveOptions, now), nowMs: now };
      const { objects } = reportStatus({ configured, refusals: new Map(), problems: [] }, defaultDeriveOptions);
      const [condition] = objects['BankingDomain books']?.conditions ?? [];
      expect(`${condition?.status} ${condition?.reason}: ${condition?.message}`).to.equal(expected);
      expect(Object.keys(objects).filter((key) => key.startsWith('ResiliencePolicy'))).to.deep.equal([]);
    });
  }
});
