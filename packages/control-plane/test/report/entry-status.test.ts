/** What is said of entries for what is outside of Kubernetes, beyond recorded scenarios (test/golden). */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { derive } from '../../src/derive/derive.ts';
import { defaultDeriveOptions } from '../../src/derive/options.ts';
import { reportStatus } from '../../src/report/report.ts';
import { now } from '../fixtures/derivation.ts';
import { collectionsFrom, entryTarget, gatewayText, namespaceText, objectText } from '../fixtures/manifest-text.ts';
import type { Condition } from '../../src/report/status-report.ts';

const port = { number: 80, name: 'http', protocol: 'HTTP' };
const entry = (name: string, spec: object, metadata: object = {}): string =>
  objectText('ServiceEntry', name, { hosts: [`${name}.example`], ports: [port], resolution: 'STATIC', ...spec }, metadata);
const use = (name: string, more: object = {}): object => ({ labels: { 'istio.io/use-waypoint': name, ...more } });
const own = { addresses: ['203.0.113.1'] };

const told = ({ type, status, reason, message }: Condition): string => `${type} ${status} ${reason}: ${message}`;

function saidOf(key: string, text: string, network = ''): readonly string[] {
  const options = { ...defaultDeriveOptions, network };
  const collections = collectionsFrom(text, ['ledger/gate-0']);
  const model = derive(collections, options, now);
  const known = { configured: { collections, model, nowMs: now }, refusals: new Map(), problems: [] };
  const { conditions = [], parents = [] } = reportStatus(known, options).objects[key] ?? {};
  return [...conditions, ...parents.flatMap((parent) => parent.conditions)].map(told);
}

describe('the status of a ServiceEntry', () => {
  const key = 'ServiceEntry ledger/fx';
  const table: readonly [string, string, readonly string[]][] = [
    ['says nothing where nothing is asked for', entry('fx', own), []],
    [
      'says that its waypoint takes the traffic',
      gatewayText('gate') + entry('fx', own, use('gate')),
      ['istio.io/WaypointBound True WaypointAccepted: waypoint ledger/gate takes the traffic of this service'],
    ],
    [
      'says that calls are refused until a waypoint is there',
      entry('fx', own, use('nowhere')),
      [
        'istio.io/WaypointBound False WaypointIsNotReady: waypoint ledger/nowhere does not exist, or is of another class; calls are refused until it is',
      ],
    ],
    [
      'says what a wildcard lacks',
      entry('fx', { ...own, hosts: ['*.fx.example'] }),
      [
        'istio.io/WaypointMissing True NoWaypointForWildcardService: *.fx.example needs a waypoint (label istio.io/use-waypoint) that tells its hosts from each other by name',
      ],
    ],
    [
      'says who may see its hosts',
      entry('fx', { ...own, exportTo: ['.'] }),
      ['istio.io/VisibilityApplied True Namespace: its hosts are known in its own namespace alone'],
    ],
    [
      'says that a list of namespaces is more than it can do',
      entry('fx', { ...own, exportTo: ['.', 'bank'] }),
      [
        'istio.io/VisibilityApplied True Public: its hosts are known in every namespace; a list of other namespaces is not supported',
      ],
    ],
    [
      'says nothing of a host that is another entry’s',
      gatewayText('gate') +
        entry('a', { ...own, hosts: ['fx.example'] }, use('gate')) +
        entry('fx', own, { creationTimestamp: '2026-01-01T00:00:00Z' }),
      [],
    ],
  ];
  for (const [title, text, expected] of table) {
    it(title, () => {
      expect(saidOf(key, text)).to.deep.equal(expected);
    });
  }

  it('says which canary takes how much, and which takes nothing', () => {
    const annotations = { 'istio.io/use-waypoint-canary-weight': '10' };
    const metadata = { ...use('gate', { 'istio.io/use-waypoint-canary': 'next' }), annotations };
    expect(saidOf(key, gatewayText('gate') + entry('fx', own, metadata))).to.deep.equal([
      'istio.io/WaypointBound True WaypointAccepted: waypoint ledger/gate takes the traffic of this service; canary ledger/next takes nothing: it is not ready, or missing',
    ]);
  });
});

describe('the status of a WorkloadEntry', () => {
  const key = 'WorkloadEntry ledger/vm';
  const gate = gatewayText('gate', { labels: { 'istio.io/waypoint-for': 'workload' } });
  const machine = (metadata: object = {}): string => objectText('WorkloadEntry', 'vm', { address: '198.51.100.1' }, metadata);

  it('says that a waypoint for workloads takes its traffic', () => {
    expect(saidOf(key, gate + machine(use('gate')))).to.deep.equal([
      'istio.io/WaypointBound True WaypointAccepted: waypoint ledger/gate takes the traffic of this workload',
    ]);
  });

  it('says that calls are refused by a waypoint that is named for it, and is for services alone', () => {
    expect(saidOf(key, gatewayText('gate') + machine(use('gate')))).to.deep.equal([
      'istio.io/WaypointBound False UnsupportedTrafficType: waypoint ledger/gate does not take traffic of workloads (istio.io/waypoint-for); calls are refused',
    ]);
  });

  it('says nothing of a waypoint that its namespace names for services', () => {
    const namespace = namespaceText('ledger', { 'istio.io/use-waypoint': 'gate' });
    expect(saidOf(key, namespace + gatewayText('gate') + machine())).to.deep.equal([]);
  });
});

describe('what names a ServiceEntry', () => {
  const text = gatewayText('gate') + entry('fx', own, use('gate')) + entry('plain', own);
  const limit = (name: string): string =>
    objectText('RateLimitPolicy', 'p', { targetRefs: [entryTarget(name)], limits: [{ name: 'all', requests: 1, window: '1s' }] });
  const route = (name: string): string => objectText('HTTPRoute', 'r', { parentRefs: [entryTarget(name)] });

  it('as a policy is in force behind a waypoint, and nowhere else', () => {
    expect(saidOf('RateLimitPolicy ledger/p', text + limit('fx'))).to.deep.equal([
      'Accepted True Accepted: in force in ledger/fx.example',
    ]);
    expect(saidOf('RateLimitPolicy ledger/p', text + limit('plain'))[0]).to.match(
      /^Accepted False AncestorNotBound: ServiceEntry/,
    );
    expect(saidOf('RateLimitPolicy ledger/p', text + limit('none'))[0]).to.match(
      /^Accepted False TargetNotFound: .*ServiceEntry/,
    );
  });

  it('as the parent of a route is told who carries it out', () => {
    expect(saidOf('HTTPRoute ledger/r', text + route('fx')).at(-1)).to.match(/waypoint ledger\/gate carries the route out/);
    expect(saidOf('HTTPRoute ledger/r', text + route('plain')).at(-1)).to.match(
      /ServiceEntry ledger\/plain is behind no waypoint/,
    );
    expect(saidOf('HTTPRoute ledger/r', text + route('none'))[0]).to.match(/^Accepted False NoMatchingParent: .*ServiceEntry/);
  });
});

describe('the status of a Gateway that runs elsewhere', () => {
  const remote = (addresses: readonly object[]): string => gatewayText('far', { className: 'istio-remote', addresses });

  it('says where traffic is sent', () => {
    expect(saidOf('Gateway ledger/far', remote([{ type: 'IPAddress', value: '203.0.113.99' }]))).to.include(
      'Programmed True Programmed: traffic is sent to 203.0.113.99:15008',
    );
  });

  it('says that it names no address', () => {
    expect(saidOf('Gateway ledger/far', remote([]))).to.include(
      'Programmed False UnsupportedAddress: spec.addresses names no address',
    );
  });
});

describe('the status of a Gateway that can only lead to another network', () => {
  const gate = (network: string, className: string): string =>
    gatewayText('gate', { className, labels: { 'topology.istio.io/network': network } });

  it('says that it leads nowhere, of the own network', () => {
    const said = saidOf('Gateway ledger/gate', gate('east', 'clearmesh-east-west'), 'east');
    expect(said.map((each) => each.split(': ')[0])).to.deep.equal(['Accepted False Invalid', 'Programmed False Invalid']);
    expect(said[0]).to.match(/it leads to no other network: east is the own one.*class clearmesh-waypoint with the same label/);
  });

  it('is left to the control plane of Istio where the class is its', () => {
    expect(saidOf('Gateway ledger/gate', gate('east', 'istio-east-west'), 'east')).to.deep.equal([]);
  });

  it('says nothing of one that leads to another network, nor of a waypoint of the own one', () => {
    expect(saidOf('Gateway ledger/gate', gate('west', 'clearmesh-east-west'), 'east')).to.deep.equal([]);
    const waypoint = saidOf('Gateway ledger/gate', gate('east', 'clearmesh-waypoint'), 'east');
    expect(waypoint[0]).to.equal('Accepted True Accepted: the Gateway is a waypoint of this mesh');
  });
});
