import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import type { Authenticated } from '../../src/authorise/authorise.ts';
import type { BodyAccess } from '../../src/authorise/body-access.ts';
import { authoriser, decide, failureOf, permitted } from './authoriser-setup.ts';
import { FakeEngine } from './fake-engine.ts';
import { bodyOf, noBody, policy, request, staying } from './requests.ts';

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

  it('is seen changed by the policies after it', async () => {
    const first = new FakeEngine({ allowed: true, headers: { 'x-tier': 'gold' }, query_parameters_to_set: { a: 'b' } });
    const second = new FakeEngine(true);
    const gold = policy('ALLOW', [{ when: [{ key: 'request.headers[x-tier]', values: ['gold'] }] }]);
    const outcome = permitted(await decide(authoriser({ policies: [gold], opa: [[first], [second]] }), { query: '' }));
    expect(second.asked[0]).to.have.nested.property('attributes.request.http.path', '/accounts/42?a=b');
    expect(outcome.permit.request.headers).to.have.property('x-tier', 'gold');
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
    const asked = by.authenticate(request(), staying) as Authenticated;
    const reason = new Error('gone');
    const outcome = await Promise.resolve(by.authorise(asked, noBody, { signal: AbortSignal.abort(reason) })).catch(
      (e: unknown) => e,
    );
    expect(outcome).to.equal(reason);
  });

  it('hears of the deadline', async () => {
    const engine = new FakeEngine(true);
    const by = authoriser({ opa: [[engine]] });
    await by.authorise(by.authenticate(request(), staying) as Authenticated, noBody, staying, { deadlineMs: 70 });
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
