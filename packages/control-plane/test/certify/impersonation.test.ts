import { expect } from 'chai';
import { describe, it } from 'mocha';
import { decideIdentity } from '../../src/certify/impersonation.ts';
import { pod } from '../fixtures/objects.ts';
import type { Caller } from '../../src/certify/caller.ts';

const ztunnel: Caller = {
  namespace: 'clearmesh-system',
  serviceAccount: 'ztunnel',
  pod: { name: 'ztunnel-a', uid: 'uid-a' },
  node: 'node-a',
};
const pods = [
  pod('ledger-0', { account: 'ledger', node: 'node-a' }),
  pod('teller-0', { account: 'teller', node: 'node-b' }),
  pod('job-0', { account: 'job', node: 'node-a', phase: 'Succeeded' }),
  pod('failed-0', { account: 'failed', node: 'node-a', phase: 'Failed' }),
  pod('pending-0', { account: 'pending', node: 'node-a', phase: 'Pending' }),
  pod('ledger-0', { namespace: 'shadow', account: 'teller', node: 'node-a' }),
  pod('gate-0', {
    account: 'gate',
    node: 'node-a',
    labels: { 'gateway.networking.k8s.io/gateway-name': 'gate', 'gateway.clearmesh.io/managed': 'clearmesh-mesh-controller' },
  }),
].map(({ value }) => value);

function decide(requested: string, caller: Caller = ztunnel, known = pods): string {
  const facts = { trustDomain: 'cluster.local', trustedNodeAccounts: new Set(['clearmesh-system/ztunnel']), pods: known };
  const decision = decideIdentity({ caller, requested }, facts);
  return decision.kind === 'granted' ? decision.identity : `refused: ${decision.reason}`;
}

const waypoint: Caller = { namespace: 'bank', serviceAccount: 'gate', pod: { name: 'gate-0', uid: 'uid-g' }, node: 'node-a' };
const own = 'spiffe://cluster.local/ns/clearmesh-system/sa/ztunnel';
const ledger = 'spiffe://cluster.local/ns/bank/sa/ledger';

describe('decideIdentity', () => {
  it('gives everybody the own identity, asked for or not', () => {
    expect(decide('')).to.equal(own);
    expect(decide(own)).to.equal(own);
    expect(decide('', { namespace: 'bank', serviceAccount: 'teller' })).to.equal('spiffe://cluster.local/ns/bank/sa/teller');
  });

  it('gives a waypoint the own identity, asked for or not', () => {
    for (const requested of ['', 'spiffe://cluster.local/ns/bank/sa/gate'])
      expect(decide(requested, waypoint)).to.equal('spiffe://cluster.local/ns/bank/sa/gate');
  });

  it('gives a node proxy the identity of a pod on its node', () => {
    expect(decide(ledger)).to.equal(ledger);
    expect(decide('spiffe://cluster.local/ns/bank/sa/pending')).to.equal('spiffe://cluster.local/ns/bank/sa/pending');
  });

  const refused: readonly [string, string, Caller, RegExp][] = [
    ['a pod of another node', 'spiffe://cluster.local/ns/bank/sa/teller', ztunnel, /no pod of bank\/teller runs on node-a/],
    ['an account nobody runs under', 'spiffe://cluster.local/ns/bank/sa/nobody', ztunnel, /no pod of bank\/nobody/],
    ['an account of another namespace', 'spiffe://cluster.local/ns/vault/sa/ledger', ztunnel, /no pod of vault\/ledger/],
    ['a pod that ended', 'spiffe://cluster.local/ns/bank/sa/job', ztunnel, /no pod of bank\/job/],
    ['a pod that failed', 'spiffe://cluster.local/ns/bank/sa/failed', ztunnel, /no pod of bank\/failed/],
    ['another trust domain', 'spiffe://other.example/ns/bank/sa/ledger', ztunnel, /another trust domain/],
    ['a waypoint on its node', 'spiffe://cluster.local/ns/bank/sa/gate', ztunnel, /bank\/gate is a waypoint’s/],
    ['a service behind it, asked by a waypoint', ledger, waypoint, /is no node proxy/],
    ['text that is no identity', 'bank/ledger', ztunnel, /is no SPIFFE id/],
    ['text that goes on', `${ledger}/../x`, ztunnel, /is no SPIFFE id/],
    ['a caller that is no node proxy', ledger, { ...ztunnel, serviceAccount: 'node-agent' }, /is no node proxy/],
    ['a namesake of the node proxy', ledger, { ...ztunnel, namespace: 'bank' }, /is no node proxy/],
    [
      'a token bound to no pod',
      ledger,
      { namespace: 'clearmesh-system', serviceAccount: 'ztunnel', node: 'node-a' },
      /bound to no pod/,
    ],
    ['a token without a node of an unknown pod', ledger, { ...ztunnel, node: undefined } as unknown as Caller, /names no node/],
  ];
  for (const [title, requested, caller, reason] of refused) {
    it(`refuses ${title}`, () => {
      expect(decide(requested, caller)).to.match(reason);
    });
  }

  describe('where the proxy’s own pod is known', () => {
    const proxy = { namespace: 'clearmesh-system', account: 'ztunnel', node: 'node-a', uid: 'uid-a', ip: '10.0.0.9' };
    const withProxy = (facts: Partial<typeof proxy>) => [...pods, pod('ztunnel-a', { ...proxy, ...facts }).value];

    it('takes the node from it when the token names none', () => {
      expect(decide(ledger, { ...ztunnel, node: undefined } as unknown as Caller, withProxy({}))).to.equal(ledger);
    });

    const mismatches: readonly [string, Partial<typeof proxy>, RegExp][] = [
      ['of an earlier pod of the name', { uid: 'uid-new' }, /earlier pod/],
      ['of another account', { account: 'default' }, /another account/],
      ['of another node', { node: 'node-b' }, /runs on node-b, the token says node-a/],
    ];
    for (const [title, facts, reason] of mismatches) {
      it(`refuses a token ${title}`, () => {
        expect(decide(ledger, ztunnel, withProxy(facts))).to.match(reason);
      });
    }
  });
});
