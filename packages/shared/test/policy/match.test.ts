import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { Match, StringMatch } from '@clearmesh/shared/model/authorization';
import type { PolicyFacts } from '@clearmesh/shared/policy/evaluate';
import { matchingRule } from '@clearmesh/shared/policy/match';
import { authorization, cidr, identity, ip, match, socketAddress } from '@clearmesh/shared/testing/builders';

const mtls: PolicyFacts = {
  sourceIp: ip('10.0.0.1'),
  identity: identity('pay', 'teller'),
  destination: socketAddress('10.0.9.2:8080'),
};
const { identity: _identity, ...plaintext } = mtls;
const ipv6: PolicyFacts = { ...mtls, sourceIp: ip('fd00::1'), destination: socketAddress('[fd00::2]:8080') };

const exact = (value: string): StringMatch => ({ kind: 'exact', value });
const prefix = (value: string): StringMatch => ({ kind: 'prefix', value });
const suffix = (value: string): StringMatch => ({ kind: 'suffix', value });
const presence: StringMatch = { kind: 'presence' };

function matches(fields: Partial<Match>, facts: PolicyFacts): boolean {
  return matchingRule(authorization({ rules: [{ clauses: [{ matches: [match(fields)] }] }] }), facts) === 0;
}

describe('levels of a policy', () => {
  const hit = match({ destinationPorts: [8080] });
  const miss = match({ destinationPorts: [1] });
  const empty = match();
  const levels: readonly (readonly [title: string, rules: readonly (readonly (readonly Match[])[])[], rule: number])[] = [
    ['no rules never match', [], -1],
    ['a rule without clauses matches all', [[]], 0],
    ['a clause without matches matches', [[[]]], 0],
    ['an empty match never matches', [[[empty]]], -1],
    ['an empty match beside a hit does no harm', [[[empty, hit]]], 0],
    ['an empty match in a clause of its own spoils the rule', [[[hit], [empty]]], -1],
    ['matches are ORed', [[[miss, hit]]], 0],
    ['clauses are ANDed', [[[hit], [miss]]], -1],
    ['all clauses that hold make a rule', [[[hit], [hit], []]], 0],
    ['rules are ORed, and the first that matches is named', [[[miss]], [[hit]], [[hit]]], 1],
  ];
  for (const [title, rules, rule] of levels) {
    it(title, () => {
      const policy = authorization({ rules: rules.map((clauses) => ({ clauses: clauses.map((list) => ({ matches: list })) })) });
      expect(matchingRule(policy, mtls)).to.equal(rule);
    });
  }
});

describe('fields of a match', () => {
  const fields: readonly (readonly [title: string, fields: Partial<Match>, mtls: boolean, plaintext: boolean])[] = [
    ['principal, exact', { principals: [exact('cluster.local/ns/pay/sa/teller')] }, true, false],
    ['principal with its scheme', { principals: [exact('spiffe://cluster.local/ns/pay/sa/teller')] }, false, false],
    ['principal of another account', { principals: [exact('cluster.local/ns/pay/sa/tell')] }, false, false],
    ['principal, prefix', { principals: [prefix('cluster.local/ns/pay/')] }, true, false],
    ['principal, prefix of the scheme', { principals: [prefix('spiffe://')] }, false, false],
    ['principal, prefix longer than the id', { principals: [prefix('cluster.local/ns/pay/sa/tellers')] }, false, false],
    ['principal, empty prefix', { principals: [prefix('')] }, true, false],
    ['principal, suffix', { principals: [suffix('/sa/teller')] }, true, false],
    ['principal, suffix that reaches into the scheme', { principals: [suffix('/cluster.local/ns/pay/sa/teller')] }, false, false],
    ['principal, presence', { principals: [presence] }, true, false],
    ['principal, exact ""', { principals: [exact('')] }, false, false],
    ['any principal of a list', { principals: [exact('x'), exact('cluster.local/ns/pay/sa/teller')] }, true, false],
    ['no principal, exact', { notPrincipals: [exact('cluster.local/ns/pay/sa/teller')] }, false, true],
    ['no principal, presence', { notPrincipals: [presence] }, false, true],
    ['no principal of a list', { notPrincipals: [exact('x'), exact('y')] }, true, true],
    ['namespace, exact', { namespaces: [exact('pay')] }, true, false],
    ['namespace, beginning only', { namespaces: [exact('pa')] }, false, false],
    ['namespace, more than it', { namespaces: [exact('pay/sa')] }, false, false],
    ['namespace, prefix', { namespaces: [prefix('pa')] }, true, false],
    ['namespace, prefix beyond it', { namespaces: [prefix('pay/')] }, false, false],
    ['namespace, suffix', { namespaces: [suffix('ay')] }, true, false],
    ['namespace, suffix beyond it', { namespaces: [suffix('/pay')] }, false, false],
    ['namespace, presence', { namespaces: [presence] }, true, false],
    ['namespace, exact "" is that of plaintext', { namespaces: [exact('')] }, false, true],
    ['namespace, empty prefix holds for all', { namespaces: [prefix('')] }, true, true],
    ['no namespace, exact', { notNamespaces: [exact('pay')] }, false, true],
    ['no namespace, another', { notNamespaces: [exact('hr')] }, true, true],
    ['no namespace, presence', { notNamespaces: [presence] }, false, true],
    ['service account', { serviceAccounts: [{ namespace: 'pay', serviceAccount: 'teller' }] }, true, false],
    ['service account of another namespace', { serviceAccounts: [{ namespace: 'hr', serviceAccount: 'teller' }] }, false, false],
    ['service account, beginning only', { serviceAccounts: [{ namespace: 'pay', serviceAccount: 'tell' }] }, false, false],
    [
      'service account, slash smuggled into the namespace',
      { serviceAccounts: [{ namespace: 'pay/sa/teller', serviceAccount: '' }] },
      false,
      false,
    ],
    ['no service account', { notServiceAccounts: [{ namespace: 'pay', serviceAccount: 'teller' }] }, false, true],
    ['source block', { sourceIps: [cidr('10.0.0.0/24')] }, true, true],
    ['source block, another', { sourceIps: [cidr('10.0.1.0/24')] }, false, false],
    ['source block of length 0', { sourceIps: [cidr('0.0.0.0/0')] }, true, true],
    ['source block of the other family', { sourceIps: [cidr('::/0')] }, false, false],
    ['no source block', { notSourceIps: [cidr('10.0.0.1/32')] }, false, false],
    ['no source block, another', { notSourceIps: [cidr('10.0.0.2/32')] }, true, true],
    ['destination block', { destinationIps: [cidr('10.0.9.0/24')] }, true, true],
    ['destination block that holds the source', { destinationIps: [cidr('10.0.0.0/24')] }, false, false],
    ['no destination block', { notDestinationIps: [cidr('10.0.9.2/32')] }, false, false],
    ['destination port', { destinationPorts: [80, 8080] }, true, true],
    ['destination port beyond 65535 is none', { destinationPorts: [8080 + 65_536] }, false, false],
    ['no destination port', { notDestinationPorts: [8080] }, false, false],
    ['no destination port, another', { notDestinationPorts: [80] }, true, true],
    ['two fields that hold', { destinationPorts: [8080], namespaces: [exact('pay')] }, true, false],
    ['two fields, one of which does not', { destinationPorts: [80], namespaces: [exact('pay')] }, false, false],
    ['positive and negative of one field', { namespaces: [prefix('p')], notNamespaces: [exact('pay')] }, false, false],
  ];
  for (const [title, given, withMtls, withPlaintext] of fields) {
    it(`${title}: ${withMtls ? 'holds' : 'fails'} for mTLS, ${withPlaintext ? 'holds' : 'fails'} for plaintext`, () => {
      expect([matches(given, mtls), matches(given, plaintext)]).to.deep.equal([withMtls, withPlaintext]);
    });
  }

  it('a service account is the same in any trust domain', () => {
    const accounts = { serviceAccounts: [{ namespace: 'pay', serviceAccount: 'teller' }] };
    expect(matches(accounts, { ...mtls, identity: identity('pay', 'teller', 'partner.example') })).to.equal(true);
  });

  it('IPv6 blocks hold IPv6 addresses', () => {
    expect(matches({ sourceIps: [cidr('fd00::/16')], destinationIps: [cidr('fd00::2/128')] }, ipv6)).to.equal(true);
    expect(matches({ sourceIps: [cidr('0.0.0.0/0')] }, ipv6)).to.equal(false);
  });
});
