import { expect } from 'chai';
import { describe, it } from 'mocha';
import { ip, service, workload } from '@clearmesh/shared/testing/builders';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';
import { destinationNames, followingNames, isKnown, ownNames } from '../../src/discover/needed-names.ts';

const hostname = { kind: 'hostname', namespace: 'bank', hostname: 'gate.bank', hboneMtlsPort: 15008 } as const;
const address = { kind: 'address', address: { network: 'net', ip: ip('10.9.0.1') }, hboneMtlsPort: 15008 } as const;
const client = workload({ name: 'client', addresses: ['10.0.0.1'] });
const block = service({ name: 'block', addresses: ['10.64.0.0/10'], waypoint: hostname });
const canary = service({
  name: 'canary',
  addresses: ['10.96.0.1'],
  weightedWaypoints: [
    { destination: hostname, weight: 90 },
    { destination: address, weight: 0 },
  ],
});
const far = workload({
  name: 'far',
  network: 'far',
  addresses: ['10.0.0.1'],
  networkGateway: address,
  services: { [canary.key]: { 80: 8080 } },
});
const named = workload({ name: 'named', addresses: [], hostname: 'partner.example' });
const guarded = workload({
  name: 'guarded',
  addresses: ['10.0.0.5'],
  waypoint: address,
  services: { [block.key]: { 80: 8080 } },
});
const snapshot = snapshotOf({ services: [block, canary], workloads: [client, far, named, guarded] });

describe('names that an outbound connection depends on', () => {
  const cases: readonly (readonly [title: string, ip: string, names: readonly string[]])[] = [
    ['the address alone, as long as nothing is known there', '10.0.0.99', ['/10.0.0.99']],
    [
      'the waypoint of a block, and that of an exact service within it',
      '10.96.0.1',
      ['/10.96.0.1', 'bank/gate.bank', 'net/10.9.0.1'],
    ],
    ['the waypoint of a workload', '10.0.0.5', ['/10.0.0.5', 'net/10.9.0.1']],
  ];
  for (const [title, to, names] of cases) {
    it(`are ${title}`, () => expect([...destinationNames(snapshot, client, ip(to))]).to.have.members(names));
  }

  it('are the gateways to other networks, of endpoints and of those of a waypoint', () => {
    const gate = service({ name: 'gate', hostname: 'gate.bank', addresses: [] });
    const gatePod = { ...far, uid: workload({ name: 'gate-1' }).uid, networkGateway: hostname };
    const behind = snapshotOf({
      services: [service({ name: 'ledger', addresses: ['10.96.0.2'], waypoint: hostname }), gate],
      workloads: [
        workload({ ...gatePod, name: 'gate-1', network: 'far', networkGateway: address, services: { [gate.key]: {} } }),
      ],
    });
    expect([...destinationNames(behind, client, ip('10.96.0.2'))]).to.have.members([
      '/10.96.0.2',
      'bank/gate.bank',
      'net/10.9.0.1',
    ]);
  });
});

describe('names that a pod’s inbound connections depend on', () => {
  it('are its services, known or not, its waypoint and theirs', () => {
    const own = workload({ ...guarded, addresses: ['10.0.0.5'], services: { [block.key]: {}, 'bank/unknown.bank': {} } });
    expect([...ownNames(snapshot, own)]).to.have.members([block.key, 'bank/unknown.bank', 'net/10.9.0.1', 'bank/gate.bank']);
  });
});

describe('names that follow from what came', () => {
  it('are the waypoints of a service or workload', () => {
    expect(followingNames(snapshot, canary.key)).to.deep.equal(['bank/gate.bank', 'net/10.9.0.1']);
    expect(followingNames(snapshot, guarded.uid)).to.deep.equal(['net/10.9.0.1']);
    expect(followingNames(snapshot, 'bank/unknown')).to.deep.equal([]);
  });
});

describe('a name', () => {
  const known = [client.uid, block.key, '/10.0.0.1', 'far/10.0.0.1', '/10.96.0.1', '/10.65.0.9', 'bank/partner.example'];
  const unknown = ['Kubernetes//Pod/bank/x', 'bank/x', '/10.0.0.99', 'far/10.0.0.5', 'other/partner.example', 'nothing', ''];
  for (const name of known) it(`is known: ${name}`, () => expect(isKnown(snapshot, name)).to.equal(true));
  for (const name of unknown) it(`is not known: "${name}"`, () => expect(isKnown(snapshot, name)).to.equal(false));
});
