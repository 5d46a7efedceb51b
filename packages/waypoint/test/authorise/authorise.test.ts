import { expect } from 'chai';
import { before, describe, it } from 'mocha';
import type { L7AuthorizationPolicy } from '@clearmesh/shared/model/l7/authorization';
import type { JwtRule } from '@clearmesh/shared/model/l7/jwt';
import type { OpaPolicy } from '@clearmesh/shared/model/l7/opa';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { Authoriser } from '../../src/authorise/authorise.ts';
import type { Authenticated } from '../../src/authorise/authorise.ts';
import type { BodyAccess } from '../../src/authorise/body-access.ts';
import { staticKeys } from '../../src/authorise/jwks-remote.ts';
import { JwtAuthenticator } from '../../src/authorise/jwt.ts';
import { KeySet } from '../../src/authorise/jwt-keys.ts';
import { compilePolicies } from '../../src/authorise/l7-policy.ts';
import { withoutHttp } from '../../src/authorise/opaque-policy.ts';
import { OpaDecider } from '../../src/authorise/opa-policy.ts';
import type { Denied, Permitted } from '../../src/authorise/permit.ts';
import type { RequestFacts } from '../../src/exchange/request-facts.ts';
import { FakeEngine } from './fake-engine.ts';
import { createIssuer } from './issuer.ts';
import type { Issuer } from './issuer.ts';
import { bodyOf, noBody, policy, request, unaborted } from './requests.ts';

type Setup = {
  readonly policies?: readonly L7AuthorizationPolicy[];
  readonly opa?: readonly (readonly [engine: FakeEngine, policy?: Partial<OpaPolicy>])[];
  readonly jwt?: readonly JwtRule[];
  readonly missing?: readonly string[];
  readonly clock?: FakeClock;
};

function authoriser({ policies = [], opa = [], jwt = [], missing = [], clock = new FakeClock() }: Setup): Authoriser {
  return new Authoriser({
    missing,
    policies: compilePolicies(policies),
    opaque: compilePolicies(policies.map(withoutHttp)),
    tokens: new JwtAuthenticator([{ key: 'RequestAuthentication ledger/login', rules: jwt }], {
      clock,
      keysOf: ({ jwks }) => staticKeys(jwks === undefined ? undefined : KeySet.parse(jwks)),
    }),
    opa: opa.map(
      ([engine, changes], index) =>
        new OpaDecider(
          { policy: opaPolicy({ key: `OpaPolicy ledger/${index}`, ...changes }), domain: 'ledger' },
          { engine, clock },
        ),
    ),
  });
}

function opaPolicy(changes: Partial<OpaPolicy>): OpaPolicy {
  return {
    key: 'OpaPolicy ledger/0',
    engine: { kind: 'server', url: 'http://127.0.0.1:1' },
    path: 'envoy/authz/allow',
    timeoutMs: 200,
    contextExtensions: {},
    ...changes,
  };
}

async function decide(
  by: Authoriser,
  changes: Partial<RequestFacts> = {},
  body: BodyAccess = noBody,
): Promise<Permitted | Denied> {
  const asked = await by.authenticate(request(changes), unaborted);
  if (asked.kind === 'refused') throw new Error(asked.failure.detail);
  return by.authorise(asked, body, unaborted);
}

function failureOf(outcome: Permitted | Denied): Denied['failure'] {
  if (outcome.kind === 'permitted') throw new Error('permitted');
  return outcome.failure;
}

function permitted(outcome: Permitted | Denied): Permitted {
  if (outcome.kind === 'refused') throw new Error(outcome.failure.detail);
  return outcome;
}

const everybody = [{}];
const nobody = [{ from: [{ namespaces: ['nobody'] }] }];

describe('a request without policies', () => {
  it('is permitted at once, unchanged', () => {
    const by = authoriser({});
    const asked = by.authenticate(request(), unaborted) as Authenticated;
    const outcome = by.authorise(asked, noBody, unaborted);
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

describe('an OPA policy', () => {
  it('changes the request and the answer', async () => {
    const first = new FakeEngine({
      allowed: true,
      headers: { 'x-user': 'alice', 'x-both': '1' },
      request_headers_to_remove: ['cookie'],
      response_headers_to_add: { 'x-seen': '1' },
      query_parameters_to_set: { a: '1' },
      dynamic_metadata: { one: 1 },
    });
    const second = new FakeEngine({
      allowed: true,
      headers: { 'x-both': '2' },
      request_headers_to_remove: ['x-user'],
      query_parameters_to_remove: ['a', 'b'],
      dynamic_metadata: { two: 2 },
    });
    const outcome = permitted(await decide(authoriser({ opa: [[first], [second]] })));
    expect(outcome.changes).to.deep.equal({
      set: { 'x-both': '2' },
      remove: ['cookie', 'x-user'],
      query: { set: {}, remove: ['a', 'b'] },
    });
    expect(outcome.responseHeaders).to.deep.equal({ 'x-seen': '1' });
    expect(outcome.decision.metadata).to.deep.equal({ one: 1, two: 2 });
  });

  it('says how its denial is answered', async () => {
    const engine = new FakeEngine({ allowed: false, http_status: 302, headers: { location: '/login' }, body: 'log in' });
    expect(failureOf(await decide(authoriser({ opa: [[engine]] })))).to.deep.include({
      kind: 'opa-denied',
      status: 302,
      headers: { location: '/login' },
      body: 'log in',
    });
  });

  it('that has no value denies, and says so', async () => {
    const failure = failureOf(await decide(authoriser({ opa: [[new FakeEngine(undefined)]] })));
    expect(failure).to.have.property('kind', 'opa-denied');
    expect(failure.detail).to.match(/: undefined decision$/);
  });

  for (const answer of [new Error('gone'), 'yes', null, { allowed: 'true' }]) {
    it(`that gives no decision (${answer instanceof Error ? 'gone' : JSON.stringify(answer)}) lets nobody pass`, async () => {
      expect(failureOf(await decide(authoriser({ opa: [[new FakeEngine(answer)]] })))).to.deep.include({
        kind: 'pdp-unavailable',
        headers: { 'x-mesh-denied': 'pdp-unavailable' },
        policy: 'OpaPolicy ledger/0',
      });
    });
  }

  it('is not asked about a request it could not read', async () => {
    const engine = new FakeEngine(true);
    const failure = failureOf(await decide(authoriser({ opa: [[engine]] }), { query: 'a=1;b=2' }));
    expect(failure).to.have.property('kind', 'bad-request');
    expect(failure.detail).not.to.include('a=1');
    expect(engine.asked).to.have.length(0);
  });

  it('rejects with the signal’s reason for a request that was given up', async () => {
    const by = authoriser({ opa: [[new FakeEngine(true)]] });
    const asked = by.authenticate(request(), unaborted) as Authenticated;
    const reason = new Error('gone');
    const outcome = await Promise.resolve(by.authorise(asked, noBody, AbortSignal.abort(reason))).catch((e: unknown) => e);
    expect(outcome).to.equal(reason);
  });

  it('hears of the deadline', async () => {
    const engine = new FakeEngine(true);
    const by = authoriser({ opa: [[engine]] });
    await by.authorise(by.authenticate(request(), unaborted) as Authenticated, noBody, unaborted, { deadlineMs: 70 });
    expect(engine.asked[0]).to.have.nested.property('attributes.mesh.deadline_ms', 70);
  });
});

describe('the body an OPA policy reads', () => {
  const json = { headers: { 'content-type': 'application/json' } };
  const whole = { body: { maxBytes: 16, allowPartial: false } };

  it('is not read unless it asks', async () => {
    const unread: BodyAccess = { peek: () => Promise.reject(new Error('was read')) };
    expect((await decide(authoriser({ opa: [[new FakeEngine(true)]] }), {}, unread)).kind).to.equal('permitted');
  });

  it('is parsed', async () => {
    const engine = new FakeEngine(true);
    await decide(authoriser({ opa: [[engine, whole]] }), json, bodyOf('{"a":1}'));
    expect(engine.asked[0]).to.deep.include({ parsed_body: { a: 1 }, truncated_body: false });
  });

  it('is refused where it is too large, and announces it', async () => {
    const unread: BodyAccess = { peek: () => Promise.reject(new Error('was read')) };
    const announced = { headers: { ...json.headers, 'content-length': '17' } };
    expect(failureOf(await decide(authoriser({ opa: [[new FakeEngine(true), whole]] }), announced, unread)).kind).to.equal(
      'body-too-large',
    );
  });

  it('is refused where it turns out too large', async () => {
    const outcome = await decide(authoriser({ opa: [[new FakeEngine(true), whole]] }), json, bodyOf('x'.repeat(17)));
    expect(failureOf(outcome).kind).to.equal('body-too-large');
  });

  it('is shown cut off where the policy takes it', async () => {
    const engine = new FakeEngine(true);
    const partial = { body: { maxBytes: 4, allowPartial: true } };
    await decide(authoriser({ opa: [[engine, partial]] }), json, bodyOf('{"a":1}'));
    expect(engine.asked[0]).to.deep.include({ parsed_body: null, truncated_body: true });
    expect(engine.asked[0]).to.have.nested.property('attributes.request.http.body', '{"a"');
  });

  it('of a gRPC call is not waited for', async () => {
    const unread: BodyAccess = { peek: () => Promise.reject(new Error('was read')) };
    const outcome = await decide(authoriser({ opa: [[new FakeEngine(true), whole]] }), { grpc: true }, unread);
    expect(outcome.kind).to.equal('permitted');
  });

  it('is waited for ten seconds', async () => {
    const clock = new FakeClock();
    const silent: BodyAccess = { peek: () => new Promise(() => {}) };
    const outcome = decide(authoriser({ opa: [[new FakeEngine(true), whole]], clock }), json, silent);
    await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(10_000);
    expect(failureOf(await outcome)).to.deep.include({ kind: 'bad-request', status: 408 });
    expect(clock.pendingTimers).to.equal(0);
  });

  it('ends with its caller', async () => {
    const gone: BodyAccess = { peek: () => Promise.resolve({ kind: 'gone' }) };
    expect(failureOf(await decide(authoriser({ opa: [[new FakeEngine(true), whole]] }), json, gone)).kind).to.equal(
      'caller-gone',
    );
  });
});

describe('decisions of an OPA policy that keeps them', () => {
  const cache = { ttlMs: 5_000, inputs: ['attributes.request.http.method'] };

  it('are given again without asking, and say so', async () => {
    const engine = new FakeEngine(true);
    const by = authoriser({ opa: [[engine, { cache }]] });
    expect(permitted(await decide(by)).decision.cached).to.equal(false);
    expect(permitted(await decide(by, { path: '/other' })).decision).to.deep.include({ cached: true, revision: '1' });
    await decide(by, { method: 'POST' });
    expect(engine.asked).to.have.length(2);
  });

  it('are forgotten when another revision answers', async () => {
    const engine = new FakeEngine(true);
    const by = authoriser({ opa: [[engine, { cache }]] });
    await decide(by);
    engine.activate('2');
    engine.answer = () => false;
    expect((await decide(by)).kind).to.equal('refused');
  });

  it('are not kept where there was none', async () => {
    const engine = new FakeEngine(new Error('gone'));
    const by = authoriser({ opa: [[engine, { cache }]] });
    await decide(by);
    engine.answer = () => true;
    expect((await decide(by)).kind).to.equal('permitted');
  });

  it('are not kept for rules that read a body or the clock', async () => {
    const unsteady = new FakeEngine(true);
    unsteady.cacheable = false;
    const reading = new FakeEngine(true);
    const by = authoriser({
      opa: [
        [unsteady, { cache }],
        [reading, { cache, body: { maxBytes: 10, allowPartial: true } }],
      ],
    });
    await decide(by);
    await decide(by);
    expect([unsteady.asked.length, reading.asked.length]).to.deep.equal([2, 2]);
  });

  it('leave no listener with the engine when the configuration goes', () => {
    const engine = new FakeEngine(true);
    const by = authoriser({ opa: [[engine, { cache }]] });
    expect(engine.listeners).to.equal(1);
    by[Symbol.dispose]();
    expect(engine.listeners).to.equal(0);
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
    const outcome = await by.authenticate(request({ query: 't=x' }), unaborted);
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
