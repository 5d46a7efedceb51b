import { expect } from 'chai';
import { describe, it } from 'mocha';
import { identity } from '../../src/testing/builders.ts';
import { clientOf, serverAmong } from '../../src/tls/peer-identity.ts';

const ours = identity('bank', 'ledger');
const second = identity('bank', 'audit');
const foreign = identity('bank', 'ledger', 'other.domain');

describe('clientOf', () => {
  const rule = clientOf('cluster.local');
  for (const [what, ids, expected] of [
    ['takes the one id', [ours], { kind: 'accepted', identity: ours }],
    ['takes the first of two', [second, ours], { kind: 'accepted', identity: second }],
    ['takes the id that it checked, not one of another domain before it', [foreign, ours], { kind: 'accepted', identity: ours }],
  ] as const) {
    it(what, () => expect(rule(ids)).to.deep.equal(expected));
  }

  it('rejects ids of other trust domains, aliases or not', () => {
    expect(rule([foreign])).to.deep.equal({
      kind: 'rejected',
      failure: { reason: 'other-trust-domain', detail: `expected trust domain cluster.local, got ${foreign}` },
    });
    expect(clientOf('cluster.loca')([ours]).kind).to.equal('rejected');
  });

  it('rejects a certificate without an id', () => {
    expect(rule([])).to.have.nested.property('failure.reason', 'no-identity');
  });
});

describe('serverAmong', () => {
  it('takes the first id that is expected', () => {
    expect(serverAmong([second, ours])([foreign, ours])).to.deep.equal({ kind: 'accepted', identity: ours });
  });

  it('says whom it expected and whom it got', () => {
    expect(serverAmong([ours, second])([foreign])).to.deep.equal({
      kind: 'rejected',
      failure: { reason: 'unexpected-identity', detail: `expected ${ours} or ${second}, got ${foreign}` },
    });
  });

  it('accepts nobody when nobody is expected', () => {
    expect(serverAmong([])([ours])).to.have.nested.property('failure.detail', `expected nobody, got ${ours}`);
  });
});
