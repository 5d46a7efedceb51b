import { expect } from 'chai';
import { before, describe, it } from 'mocha';
import type { L7AuthorizationPolicy } from '@clearmesh/shared/model/l7/authorization';
import type { JwtRule } from '@clearmesh/shared/model/l7/jwt';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import type { Authenticated } from '../../src/authorise/authorise.ts';
import type { Permitted } from '../../src/authorise/permit.ts';
import { authoriser, decide, failureOf, permitted } from './authoriser-setup.ts';
import { FakeEngine } from './fake-engine.ts';
import { createIssuer } from './issuer.ts';
import type { Issuer } from './issuer.ts';
import { noBody, policy, request, staying } from './requests.ts';

const everybody = [{}];
const nobody = [{ from: [{ namespaces: ['nobody'] }] }];

describe('a request without policies', () => {
  it('is permitted at once, unchanged', () => {
    const by = authoriser({});
    const asked = by.authenticate(request(), staying) as Authenticated;
    const outcome = by.authorise(asked, noBody, staying);
    expect(outcome).to.deep.include({ kind: 'permitted', notes: [], decision: { cached: false } });
    expect((outcome as Permitted).permit.request).to.equal(asked.request);
    expect((outcome as Permitted).changes).to.deep.equal({ set: {}, remove: [] });
  });
});

describe('the order of policies', () => {
  const deny = policy('DENY', everybody, { key: 'AuthorizationPolicy ledger/deny' });
  const closed = policy('ALLOW', nobody, { key: 'AuthorizationPolicy ledger/closed' });
  const open = policy('ALLOW', everybody, { key: 'AuthorizationPolicy ledger/open' });

  it('asks nobody once a DENY matches', async () => {
    const engine = new FakeEngine(true);
    const outcome = await decide(authoriser({ policies: [open, deny], opa: [[engine]] }));
    expect(failureOf(outcome)).to.deep.include({ kind: 'policy-denied', policy: 'AuthorizationPolicy ledger/deny', rule: '0' });
    expect(engine.asked).to.have.length(0);
  });

  it('lets OPA deny before ALLOW policies are looked at', async () => {
    const outcome = await decide(authoriser({ policies: [closed], opa: [[new FakeEngine(false)]] }));
    expect(failureOf(outcome)).to.deep.include({ kind: 'opa-denied', policy: 'OpaPolicy ledger/0', rule: 'envoy/authz/allow' });
  });

  it('does not let OPA open what ALLOW policies close', async () => {
    const outcome = await decide(authoriser({ policies: [closed], opa: [[new FakeEngine(true)]] }));
    expect(failureOf(outcome).kind).to.equal('policy-denied');
    expect(failureOf(outcome)).not.to.have.property('policy');
  });

  it('asks every OPA policy, and the first that denies has the last word', async () => {
    const engines = [new FakeEngine(true), new FakeEngine(false), new FakeEngine(true)];
    const outcome = await decide(authoriser({ opa: engines.map((engine) => [engine] as const) }));
    expect(failureOf(outcome).policy).to.equal('OpaPolicy ledger/1');
    expect(engines.map(({ asked }) => asked.length)).to.deep.equal([1, 1, 0]);
  });

  it('names the ALLOW rule that matched', async () => {
    const outcome = permitted(await decide(authoriser({ policies: [closed, open], opa: [[new FakeEngine(true)]] })));
    expect(outcome.decision).to.deep.equal({
      policy: 'AuthorizationPolicy ledger/open',
      rule: '0',
      cached: false,
      revision: '1',
    });
  });

  it('refuses everybody while a policy has not arrived', async () => {
    const outcome = await decide(authoriser({ policies: [open], missing: ['AuthorizationPolicy ledger/late'] }));
    expect(failureOf(outcome).detail).to.match(/have not arrived: AuthorizationPolicy ledger\/late$/);
  });

  it('notes dry-run policies of both kinds', async () => {
    const dry = [policy('DENY', everybody, { dryRun: true, key: 'd' }), policy('ALLOW', everybody, { dryRun: true, key: 'a' })];
    expect(permitted(await decide(authoriser({ policies: dry }))).notes).to.deep.equal([
      { outcome: 'would-deny', policy: 'd', rule: 0 },
      { outcome: 'would-allow', policy: 'a', rule: 0 },
    ]);
  });
});

describe('the explanation of a denial', () => {
  it('says who asked for what, and which rule decided, without the query', async () => {
    const outcome = await decide(authoriser({ policies: [policy('DENY', everybody)] }), { query: 'iban=secret' });
    expect(failureOf(outcome).detail).to.equal(
      'GET /accounts/42 of spiffe://cluster.local/ns/payments/sa/payments to ledger.ledger.svc.cluster.local is denied: rule 0 of DENY policy AuthorizationPolicy ledger/rules matches',
    );
  });
});

describe('bytes that are no HTTP', () => {
  const bytes = request({ method: '', path: '', query: '', authority: '', headers: {} });
  const opaque = (...policies: readonly L7AuthorizationPolicy[]): string => authoriser({ policies }).authoriseOpaque(bytes).kind;
  const fromPayments = [{ namespaces: ['payments'] }];

  const rows: readonly (readonly [title: string, policy: L7AuthorizationPolicy, outcome: 'permitted' | 'refused'])[] = [
    ['an ALLOW of layer 4 that matches', policy('ALLOW', [{ from: fromPayments, to: [{ ports: ['8080'] }] }]), 'permitted'],
    ['an ALLOW of layer 4 that does not', policy('ALLOW', nobody), 'refused'],
    ['an ALLOW of a method', policy('ALLOW', [{ from: fromPayments, to: [{ notMethods: ['GET'] }] }]), 'refused'],
    ['an ALLOW of a header', policy('ALLOW', [{ when: [{ key: 'request.headers[x]', notValues: ['1'] }] }]), 'refused'],
    ['an ALLOW of no token', policy('ALLOW', [{ from: [{ notRequestPrincipals: ['*'] }] }]), 'refused'],
    ['a DENY of a path for the caller', policy('DENY', [{ from: fromPayments, to: [{ paths: ['/admin'] }] }]), 'refused'],
    [
      'a DENY of a path for another',
      policy('DENY', [{ from: [{ namespaces: ['x'] }], to: [{ paths: ['/admin'] }] }]),
      'permitted',
    ],
    ['a DENY of a path at another port', policy('DENY', [{ to: [{ paths: ['/admin'], ports: ['1'] }] }]), 'permitted'],
    ['a DENY of a header', policy('DENY', [{ when: [{ key: 'request.headers[x]', values: ['1'] }] }]), 'refused'],
  ];
  for (const [title, one, outcome] of rows) {
    it(`are ${outcome} by ${title}`, () => expect(opaque(one)).to.equal(outcome));
  }

  it('are permitted by the rule that matches, by its own index', () => {
    const one = policy('ALLOW', [{ to: [{ methods: ['GET'] }] }, { from: fromPayments }]);
    expect(permitted(authoriser({ policies: [one] }).authoriseOpaque(bytes)).decision.rule).to.equal('1');
  });

  it('cannot be shown to an OPA policy', () => {
    const outcome = authoriser({ opa: [[new FakeEngine(true)]] }).authoriseOpaque(bytes);
    expect(failureOf(outcome)).to.deep.include({ kind: 'policy-denied', policy: 'OpaPolicy ledger/0' });
    expect(failureOf(outcome).detail).to.match(/^a connection of spiffe:/);
  });
});

describe('tokens and the policies after them', () => {
  let issuer: Issuer;
  let jwt: readonly JwtRule[];
  before(async () => {
    issuer = await createIssuer('https://login.bank');
    jwt = [
      {
        issuer: 'https://login.bank',
        audiences: [],
        jwks: issuer.jwks,
        fromHeaders: [],
        fromParams: ['t'],
        forwardOriginalToken: false,
        outputClaimToHeaders: [{ header: 'x-sub', claim: 'sub' }],
      },
    ];
  });

  it('policies see claims, and no token', async () => {
    const engine = new FakeEngine(true);
    const only = policy('ALLOW', [{ when: [{ key: 'request.headers[x-sub]', values: ['alice'] }] }]);
    const outcome = permitted(
      await decide(authoriser({ jwt, policies: [only], opa: [[engine]] }), {
        headers: { 'x-sub': 'mallory' },
        query: `t=${await issuer.sign({ sub: 'alice' })}&page=2`,
      }),
    );
    expect(outcome.token?.principal).to.equal('https://login.bank/alice');
    expect(outcome.changes.set).to.deep.equal({ 'x-sub': 'alice' });
    expect(engine.asked[0]).to.have.nested.property('attributes.mesh.claims.sub', 'alice');
    expect(engine.asked[0]).to.have.nested.property('attributes.request.http.path', '/accounts/42?page=2');
    expect(engine.asked[0]).to.have.nested.property('attributes.request.http.headers.x-sub', 'alice');
  });

  it('policies do not see headers that only tokens may set', async () => {
    const only = policy('ALLOW', [{ when: [{ key: 'request.headers[x-sub]', values: ['*'] }] }]);
    const outcome = await decide(authoriser({ jwt, policies: [only] }), { headers: { 'x-sub': 'mallory' } });
    expect(failureOf(outcome).kind).to.equal('policy-denied');
  });

  it('a token that does not hold ends the request before any policy', async () => {
    const by = authoriser({ jwt });
    const outcome = await by.authenticate(request({ query: 't=x' }), staying);
    expect(outcome.kind === 'refused' && outcome.failure.kind).to.equal('jwt-invalid');
  });

  it('a kept decision ends with the token it rests on', async () => {
    const clock = new FakeClock();
    const engine = new FakeEngine(true);
    const cache = { ttlMs: 30_000, inputs: [] };
    const by = authoriser({ jwt, opa: [[engine, { cache }]], clock });
    const query = `t=${await issuer.sign({ sub: 'alice', exp: clock.now() / 1_000 + 5 })}`;
    await decide(by, { query });
    clock.advance(4_999);
    expect(permitted(await decide(by, { query })).decision.cached).to.equal(true);
    clock.advance(1);
    expect(permitted(await decide(by, { query })).decision.cached).to.equal(false);
  });
});
