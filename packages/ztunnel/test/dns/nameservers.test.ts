import { expect } from 'chai';
import { describe, it } from 'mocha';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import { socketAddress } from '@clearmesh/shared/testing/builders';
import { nameserversIn, resolversFor, searchListIn } from '../../src/dns/nameservers.ts';

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

describe('the resolvers that are asked for a pod', () => {
  const own = ['10.96.0.10:53', '[fd00::a]:53'].map(socketAddress);
  const cases: readonly [says: string, asked: string | undefined, gives: readonly string[]][] = [
    ['are the server that it asked', '10.9.9.9:53', ['10.9.9.9:53']],
    ['are those of the proxy when it asked one of them', '[fd00::a]:53', ['10.96.0.10:53', '[fd00::a]:53']],
    ['are those of the proxy when that is not known', undefined, ['10.96.0.10:53', '[fd00::a]:53']],
    [
      'are the server that it asked, even at the address of a resolver of the proxy, by another port',
      '10.96.0.10:54',
      ['10.96.0.10:54'],
    ],
  ];
  for (const [says, asked, gives] of cases) {
    it(says, () => {
      const found = resolversFor(asked === undefined ? undefined : socketAddress(asked), own);
      expect(found.map(formatSocketAddress)).to.deep.equal(gives);
    });
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
