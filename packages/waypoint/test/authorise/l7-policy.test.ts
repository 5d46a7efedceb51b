import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { L7AuthorizationPolicy, L7Condition, L7Operation, L7Source } from '@clearmesh/shared/model/l7/authorization';
import { identity, socketAddress } from '@clearmesh/shared/testing/builders';
import { l7Facts } from '../../src/authorise/l7-facts.ts';
import { allowVerdict, compilePolicies, denyingPolicy, dryRunDenials } from '../../src/authorise/l7-policy.ts';
import { withoutHttp } from '../../src/authorise/opaque-policy.ts';
import type { TokenFacts } from '../../src/authorise/token-facts.ts';
import type { RequestFacts } from '../../src/exchange/request-facts.ts';
import { payments, policy, request } from './requests.ts';

const token: TokenFacts = {
  principal: 'https://login.bank/alice',
  claims: {
    iss: 'https://login.bank',
    sub: 'alice',
    aud: ['ledger', 'reports'],
    azp: 'teller-app',
    groups: ['tellers', 'approvers'],
    scope: 'read write',
    realm: { roles: ['auditor'], 'a.b': 'dotted' },
    level: 3,
  },
};

type Case = readonly [title: string, changes: Partial<RequestFacts>, matches: boolean];

/** Whether an ALLOW with this rule lets the request pass. */
function allows(
  rule: { readonly source?: L7Source; readonly operation?: L7Operation; readonly when?: readonly L7Condition[] },
  changes: Partial<RequestFacts> = {},
  claims: TokenFacts | undefined = token,
): boolean {
  return verdictOf('ALLOW', rule, changes, claims);
}

function verdictOf(
  action: 'ALLOW' | 'DENY',
  { source, operation, when }: Parameters<typeof allows>[0],
  changes: Partial<RequestFacts> = {},
  claims: TokenFacts | undefined = token,
): boolean {
  const rule = {
    ...(source === undefined ? {} : { from: [source] }),
    ...(operation === undefined ? {} : { to: [operation] }),
    ...(when === undefined ? {} : { when }),
  };
  const policies = compilePolicies([policy(action, [rule])]);
  const facts = l7Facts(request(changes), claims);
  return action === 'ALLOW' ? allowVerdict(policies, facts).kind === 'allow' : denyingPolicy(policies, facts) !== undefined;
}

describe('sources of a layer-7 rule', () => {
  const sources: readonly (readonly [L7Source, boolean])[] = [
    [{ principals: ['cluster.local/ns/payments/sa/payments'] }, true],
    [{ principals: ['cluster.local/ns/payments/*'] }, true],
    [{ principals: ['*/sa/payments'] }, true],
    [{ principals: ['*'] }, true],
    [{ principals: ['payments'] }, false],
    [{ principals: ['spiffe://cluster.local/ns/payments/sa/payments'] }, false],
    [{ notPrincipals: ['*/sa/payments'] }, false],
    [{ notPrincipals: ['*/sa/other'] }, true],
    [{ namespaces: ['payments'] }, true],
    [{ namespaces: ['pay*'] }, true],
    [{ namespaces: ['ledger', 'payments'] }, true],
    [{ notNamespaces: ['payments'] }, false],
    [{ serviceAccounts: ['payments/payments'] }, true],
    [{ serviceAccounts: ['payments'] }, false],
    [{ notServiceAccounts: ['payments/payments'] }, false],
    [{ trustDomains: ['cluster.local'] }, true],
    [{ trustDomains: ['cluster*'] }, true],
    [{ notTrustDomains: ['cluster.local'] }, false],
    [{ ipBlocks: ['10.1.0.0/16'] }, true],
    [{ ipBlocks: ['10.1.0.7'] }, true],
    [{ ipBlocks: ['10.2.0.0/16'] }, false],
    [{ notIpBlocks: ['10.1.0.0/16'] }, false],
    [{ remoteIpBlocks: ['10.1.0.0/16'] }, true],
    [{ requestPrincipals: ['https://login.bank/alice'] }, true],
    [{ requestPrincipals: ['https://login.bank/*'] }, true],
    [{ requestPrincipals: ['*'] }, true],
    [{ notRequestPrincipals: ['*'] }, false],
    [{ namespaces: ['payments'], ipBlocks: ['10.2.0.0/16'] }, false],
    [{ namespaces: [] }, false],
  ];
  for (const [source, matches] of sources) {
    it(`${JSON.stringify(source)} ${matches ? 'matches' : 'does not match'} payments`, () => {
      expect(allows({ source })).to.equal(matches);
    });
  }

  it('a bare service account is one of the policy’s own namespace', () => {
    const caller = { ...payments, identity: identity('ledger', 'batch') };
    expect(allows({ source: { serviceAccounts: ['batch'] } }, { caller })).to.equal(true);
  });

  it('a request without a token has no request principal', () => {
    const rule = (source: L7Source) => policy('ALLOW', [{ from: [source] }]);
    const facts = l7Facts(request(), undefined);
    expect(allowVerdict(compilePolicies([rule({ requestPrincipals: ['*'] })]), facts).kind).to.equal('no-allow-matched');
    expect(allowVerdict(compilePolicies([rule({ notRequestPrincipals: ['*'] })]), facts).kind).to.equal('allow');
  });

  it('a forwarded address is not believed', () => {
    const headers = { 'x-forwarded-for': '192.0.2.1' };
    expect(allows({ source: { remoteIpBlocks: ['192.0.2.0/24'] } }, { headers })).to.equal(false);
  });
});

describe('operations of a layer-7 rule', () => {
  const hosts: readonly Case[] = [
    ['the host without its port', { authority: 'ledger.bank:8080' }, true],
    ['another case', { authority: 'LEDGER.bank' }, true],
    ['the trailing dot', { authority: 'ledger.bank.:8080' }, true],
    ['a longer host', { authority: 'ledger.bank.evil' }, false],
    ['no host', { authority: '' }, false],
  ];
  for (const [title, changes, matches] of hosts) {
    it(`hosts [ledger.bank] ${matches ? 'match' : 'do not match'} ${title}`, () => {
      expect(allows({ operation: { hosts: ['ledger.bank'] } }, changes)).to.equal(matches);
    });
  }

  const others: readonly (readonly [L7Operation, Partial<RequestFacts>, boolean])[] = [
    [{ hosts: ['*.bank'] }, { authority: 'ledger.bank:1' }, true],
    [{ hosts: ['ledger.*'] }, { authority: 'ledger.bank' }, true],
    [{ hosts: ['[::1]'] }, { authority: '[::1]:80' }, true],
    [{ hosts: ['ledger.bank:8080'] }, { authority: 'ledger.bank:8080' }, false],
    [{ notHosts: ['*.bank'] }, { authority: 'ledger.BANK' }, false],
    [{ methods: ['GET'] }, {}, true],
    [{ methods: ['get'] }, {}, false],
    [{ methods: ['*'] }, {}, true],
    [{ methods: ['POST', 'PUT'] }, {}, false],
    [{ notMethods: ['GET'] }, {}, false],
    [{ ports: ['8080'] }, {}, true],
    [{ ports: ['80'] }, {}, false],
    [{ notPorts: ['80'] }, {}, true],
    [{ paths: ['/accounts/42'] }, {}, true],
    [{ paths: ['/accounts/*'] }, {}, true],
    [{ paths: ['*/42'] }, {}, true],
    [{ paths: ['/Accounts/*'] }, {}, false],
    [{ notPaths: ['/accounts/*'] }, {}, false],
    [{ paths: ['/accounts/{*}'], methods: ['GET'] }, {}, true],
    [{ paths: ['/accounts/{*}'], methods: ['POST'] }, {}, false],
  ];
  for (const [operation, changes, matches] of others) {
    it(`${JSON.stringify(operation)} ${matches ? 'matches' : 'does not match'} ${JSON.stringify(changes)}`, () => {
      expect(allows({ operation }, changes)).to.equal(matches);
    });
  }
});

describe('conditions of a layer-7 rule', () => {
  const conditions: readonly (readonly [key: string, value: string, matches: boolean])[] = [
    ['request.headers[user-agent]', 'payments/*', true],
    ['request.headers[User-Agent]', '*', true],
    ['request.headers[x-none]', '*', false],
    ['source.ip', '10.1.0.0/16', true],
    ['remote.ip', '10.1.0.0/16', true],
    ['source.namespace', 'payments', true],
    ['source.principal', 'cluster.local/ns/payments/sa/payments', true],
    ['source.serviceAccount', 'payments/payments', true],
    ['request.auth.principal', 'https://login.bank/alice', true],
    ['request.auth.audiences', 'reports', true],
    ['request.auth.audiences', 'other', false],
    ['request.auth.presenter', 'teller-app', true],
    ['request.auth.claims[groups]', 'approvers', true],
    ['request.auth.claims[groups]', 'appr*', true],
    ['request.auth.claims[scope]', 'write', true],
    ['request.auth.claims[realm][roles]', 'auditor', true],
    ['request.auth.claims[realm][a.b]', 'dotted', true],
    ['request.auth.claims[realm]', '*', false],
    ['request.auth.claims[level]', '3', false],
    ['request.auth.claims[constructor]', '*', false],
    ['destination.ip', '10.96.0.20', true],
    ['destination.port', '8080', true],
    ['connection.sni', '*', false],
  ];
  for (const [key, value, matches] of conditions) {
    it(`${key} ${matches ? 'is' : 'is not'} ${value}`, () => {
      expect(allows({ when: [{ key, values: [value] }] })).to.equal(matches);
      expect(allows({ when: [{ key, notValues: [value] }] }), 'notValues').to.equal(!matches);
    });
  }

  it('conditions hold together', () => {
    const when = [
      { key: 'destination.port', values: ['8080'] },
      { key: 'source.namespace', values: ['other'] },
    ];
    expect(allows({ when })).to.equal(false);
  });
});

describe('what cannot be evaluated', () => {
  const rules: readonly (readonly [title: string, rule: Parameters<typeof allows>[0]])[] = [
    ['an unknown key', { when: [{ key: 'experimental.envoy.filters', values: ['x'] }] }],
    ['an unknown key with notValues', { when: [{ key: 'request.body', notValues: ['x'] }] }],
    ['a key without its bracket', { when: [{ key: 'request.headers[x', values: ['x'] }] }],
    ['an empty name', { when: [{ key: 'request.auth.claims[]', values: ['x'] }] }],
    ['a condition without values', { when: [{ key: 'source.ip' }] }],
    ['a block that is none', { source: { ipBlocks: ['10.0.0.0/99'] } }],
    ['a negative block that is none', { source: { notIpBlocks: ['nowhere'] } }],
    ['a source that says nothing', { source: {} }],
    ['an operation that says nothing', { operation: {} }],
    ['a template that is none', { operation: { paths: ['/a{*}/b'] } }],
    ['a host with a port', { operation: { hosts: ['ledger.bank:8080'] } }],
  ];
  for (const [title, rule] of rules) {
    it(`${title} never lets an ALLOW match, and never keeps a DENY from matching`, () => {
      expect(verdictOf('ALLOW', rule)).to.equal(false);
      expect(verdictOf('DENY', rule)).to.equal(true);
    });
  }
});

describe('the layer-7 verdict', () => {
  const everybody = [{}];
  const nobody = [{ from: [{ namespaces: ['nobody'] }] }];
  const facts = l7Facts(request(), token);
  const verdict = (...policies: readonly L7AuthorizationPolicy[]) => allowVerdict(compilePolicies(policies), facts);

  it('allows where no ALLOW policy applies', () => expect(verdict().kind).to.equal('allow'));
  it('denies where ALLOW policies apply and none matches', () =>
    expect(verdict(policy('ALLOW', nobody)).kind).to.equal('no-allow-matched'));
  it('denies all by an ALLOW without rules', () => expect(verdict(policy('ALLOW', [])).kind).to.equal('no-allow-matched'));
  it('names the policy and the rule that allow', () =>
    expect(verdict(policy('ALLOW', [...nobody, ...everybody]))).to.deep.equal({
      kind: 'allow',
      by: { policy: 'AuthorizationPolicy ledger/rules', rule: 1 },
      notes: [],
    }));
  it('names the policy and the rule that deny', () =>
    expect(denyingPolicy(compilePolicies([policy('DENY', [...nobody, ...everybody])]), facts)).to.deep.equal({
      policy: 'AuthorizationPolicy ledger/rules',
      rule: 1,
    }));

  it('denies everybody by a DENY whose rule asks for nothing, beside an ALLOW and without HTTP, too', () => {
    // What the control plane sends in place of a policy that it cannot read.
    const deny = policy('DENY', [{}], { key: 'AuthorizationPolicy ledger/lost' });
    for (const written of [deny, withoutHttp(deny)]) {
      const policies = compilePolicies([policy('ALLOW', [{}]), written]);
      for (const claims of [token, undefined])
        expect(denyingPolicy(policies, l7Facts(request(), claims))).to.deep.equal({
          policy: 'AuthorizationPolicy ledger/lost',
          rule: 0,
        });
    }
  });

  it('only notes what a dry-run DENY would deny', () => {
    const policies = compilePolicies([policy('DENY', everybody, { dryRun: true })]);
    expect(denyingPolicy(policies, facts)).to.equal(undefined);
    expect(dryRunDenials(policies, facts)).to.deep.equal([
      { outcome: 'would-deny', policy: 'AuthorizationPolicy ledger/rules', rule: 0 },
    ]);
  });
  it('notes that dry-run ALLOW policies alone would deny', () =>
    expect(verdict(policy('ALLOW', nobody, { dryRun: true }))).to.deep.equal({
      kind: 'allow',
      notes: [{ outcome: 'no-allow-would-match' }],
    }));
  it('does not let a dry-run ALLOW open what an enforced one closes', () =>
    expect(verdict(policy('ALLOW', nobody), policy('ALLOW', everybody, { dryRun: true }))).to.deep.include({
      kind: 'no-allow-matched',
      notes: [{ outcome: 'would-allow', policy: 'AuthorizationPolicy ledger/rules', rule: 0 }],
    }));
  it('compares the address of the tunnel’s peer, not the one its proxy tells', () => {
    const caller = { ...payments, client: socketAddress('192.0.2.1:1') };
    expect(allows({ source: { ipBlocks: ['192.0.2.1'] } }, { caller })).to.equal(false);
  });
});
