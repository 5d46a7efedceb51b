import { expect } from 'chai';
import { describe, it } from 'mocha';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import { nameserversIn, searchListIn } from '../../src/dns/nameservers.ts';

describe('the resolvers of a resolv.conf', () => {
  const cases: readonly [says: string, text: string, gives: readonly string[]][] = [
    ['are in its order', 'nameserver 10.96.0.10\nnameserver fd00::a\n', ['10.96.0.10:53', '[fd00::a]:53']],
    ['stand among other lines', 'search bank.svc.cluster.local\n nameserver\t1.1.1.1 # one\noptions ndots:5', ['1.1.1.1:53']],
    ['are not in comments', '#nameserver 1.1.1.1\n; nameserver 2.2.2.2\n', []],
    ['are addresses', 'nameserver dns.example\nnameserver fe80::1%eth0\nnameserver\n', []],
    ['are three', [1, 2, 3, 4].map((n) => `nameserver 10.0.0.${n}`).join('\n'), ['10.0.0.1:53', '10.0.0.2:53', '10.0.0.3:53']],
    ['may be none', '', []],
  ];
  for (const [says, text, gives] of cases) {
    it(says, () => expect(nameserversIn(text).map(formatSocketAddress)).to.deep.equal(gives));
  }
});

describe('the search list of a resolv.conf', () => {
  const cases: readonly [says: string, text: string, gives: readonly string[]][] = [
    [
      'is in its order',
      'search bank.svc.cluster.local svc.cluster.local\nnameserver 1.1.1.1',
      ['bank.svc.cluster.local', 'svc.cluster.local'],
    ],
    ['is the last one', 'domain example\nsearch a.example.  B.example # two', ['a.example', 'b.example']],
    ['is not in comments', '#search example', []],
    [
      'has an end',
      `search ${Array.from({ length: 40 }, (_, n) => `s${n}`).join(' ')}`,
      Array.from({ length: 32 }, (_, n) => `s${n}`),
    ],
    ['may be missing', '', []],
  ];
  for (const [says, text, gives] of cases) it(says, () => expect(searchListIn(text)).to.deep.equal(gives));
});
