import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { candidateNames, withWildcards } from '../../src/dns/candidate-names.ts';

const searching = { namespace: 'bank', clusterDomain: 'cluster.local' };
const names = (asked: string): readonly string[] =>
  candidateNames(asked, searching).map(({ name, stripped }) => (stripped === undefined ? name : `${name} (${stripped})`));

describe('what a name may stand for', () => {
  const cases: readonly [asked: string, gives: readonly string[]][] = [
    ['ledger', ['ledger', 'ledger.bank.svc.cluster.local']],
    ['ledger.pay', ['ledger.pay', 'ledger.pay.svc.cluster.local', 'ledger.pay.bank.svc.cluster.local']],
    ['ledger.pay.svc', ['ledger.pay.svc', 'ledger.pay.svc.cluster.local', 'ledger.pay.svc.svc.cluster.local']],
    ['api.example.com', ['api.example.com', 'api.example.com.svc.cluster.local']],
    ['a.b.c.svc', ['a.b.c.svc', 'a.b.c.svc.cluster.local']],
    ['a.b.example.com', ['a.b.example.com']],
    ['a.b.c.d.example.com', ['a.b.c.d.example.com']],
    [
      'ledger.bank.svc.cluster.local',
      [
        'ledger.bank.svc.cluster.local',
        'ledger (ledger)',
        'ledger.bank (ledger.bank)',
        'ledger.bank.bank.svc.cluster.local (ledger.bank)',
        'ledger.bank.svc (ledger.bank.svc)',
        'ledger.bank.svc.svc.cluster.local (ledger.bank.svc)',
      ],
    ],
  ];
  for (const [asked, gives] of cases) it(`${asked}: ${gives.length} names`, () => expect(names(asked)).to.deep.equal(gives));

  it('follows the client’s own search list, where that is known', () => {
    const own = candidateNames('ledger.branch.bank', { ...searching, searchList: ['branch.bank', 'bank'] });
    expect(own.flatMap(({ name, stripped }) => (stripped === undefined ? [] : [`${name} (${stripped})`]))).to.deep.equal([
      'ledger (ledger)',
      'ledger.bank.svc.cluster.local (ledger)',
      'ledger.branch (ledger.branch)',
      'ledger.branch.svc.cluster.local (ledger.branch)',
    ]);
  });

  it('is few names, each once, the asked one first', () => {
    const label = fc.constantFrom('a', 'bank', 'svc', 'cluster', 'local', 'example', 'com');
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 12 }), (labels) => {
        const asked = labels.join('.');
        const found = candidateNames(asked, searching).map(({ name }) => name);
        expect(found[0]).to.equal(asked);
        expect(new Set(found).size).to.equal(found.length);
        expect(found.length).to.be.at.most(12);
      }),
    );
  });
});

describe('wildcards', () => {
  it('come behind the name, the most specific first', () => {
    expect([...withWildcards('a.b.c')]).to.deep.equal(['a.b.c', '*.b.c', '*.c']);
  });

  it('do not come twice for a wildcard', () => {
    expect([...withWildcards('*.b.c')]).to.deep.equal(['*.b.c', '*.c']);
  });

  it('do not come for a single label', () => {
    expect([...withWildcards('a')]).to.deep.equal(['a']);
  });
});
