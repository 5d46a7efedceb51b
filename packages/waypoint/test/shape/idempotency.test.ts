import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import type { RequestFacts } from '../../src/exchange/request-facts.ts';
import { Idempotency } from '../../src/shape/idempotency.ts';
import type { BeginOutcome, IdempotencyOptions, KeyedRequest } from '../../src/shape/idempotency.ts';
import type { IdempotencyTicket } from '../../src/shape/idempotency-ticket.ts';
import { idempotencyPolicy, request } from './requests.ts';

type Setup = { readonly clock: FakeClock; readonly idempotency: Idempotency };
type Attempt = { readonly facts?: Parameters<typeof request>[0]; readonly keyed?: Partial<KeyedRequest>; readonly body?: string };

function setUp(options: Partial<IdempotencyOptions> = {}): Setup {
  const clock = new FakeClock();
  const deps = { clock, random: new FakeRandom(), redis: { get: () => undefined } };
  return { clock, idempotency: new Idempotency({ domain: 'bank', ...options }, deps) };
}

function begin({ idempotency }: Setup, { facts = {}, keyed = {}, body = 'pay alice 10' }: Attempt = {}): Promise<BeginOutcome> {
  return idempotency.begin(request(facts), { policy: idempotencyPolicy(), key: 'k1', body: Buffer.from(body), ...keyed });
}

async function ticketOf(setup: Setup, attempt: Attempt = {}): Promise<IdempotencyTicket> {
  const outcome = await begin(setup, attempt);
  if (outcome.kind !== 'proceed') throw new Error(shown(outcome));
  return outcome.ticket;
}

function shown(outcome: BeginOutcome): string {
  if (outcome.kind === 'proceed') return 'proceed';
  return outcome.kind === 'answered' ? `answered ${outcome.answer.status}` : outcome.failure.kind;
}

const created = {
  status: 201,
  headers: { location: '/payments/1', 'content-type': 'application/json', 'set-cookie': 's=1' },
  body: Buffer.from('{"id":1}'),
};

describe('Idempotency', () => {
  it('gives the same answer to the same request, and says that it is a replay', async () => {
    const setup = setUp();
    expect(await (await ticketOf(setup)).complete(created)).to.equal(true);
    const outcome = await begin(setup);
    if (outcome.kind !== 'answered') throw new Error(shown(outcome));
    expect({ ...outcome.answer, body: Buffer.from(outcome.answer.body).toString() }).to.deep.equal({
      status: 201,
      headers: { location: '/payments/1', 'content-type': 'application/json', 'idempotency-replayed': 'true' },
      body: '{"id":1}',
    });
  });

  it('replays trailers', async () => {
    const setup = setUp();
    await (await ticketOf(setup)).complete({ ...created, trailers: { 'grpc-status': '0', 'x-cost': '1' } });
    const outcome = await begin(setup);
    expect(outcome.kind === 'answered' && outcome.answer.trailers).to.deep.equal({ 'grpc-status': '0' });
  });

  it('replays an answer that was too large without its body, and says so', async () => {
    const setup = setUp();
    const keyed = { policy: idempotencyPolicy({ maxBodyBytes: 7 }) };
    await (await ticketOf(setup, { keyed })).complete(created);
    const outcome = await begin(setup, { keyed });
    expect(outcome.kind === 'answered' && outcome.answer.body.length).to.equal(0);
    expect(outcome.kind === 'answered' && outcome.answer.headers).to.include({
      'x-mesh-outcome': 'completed',
      'x-mesh-replayed-body': 'omitted',
    });
  });

  for (const status of [200, 400, 404, 409, 500, 503])
    it(`keeps an answer ${status}`, async () => {
      const setup = setUp();
      await (await ticketOf(setup)).complete({ ...created, status });
      expect(shown(await begin(setup))).to.equal(`answered ${status}`);
    });

  const other: readonly { title: string; attempt: Attempt; gives: string }[] = [
    { title: 'refuses another body under the key', attempt: { body: 'pay alice 11' }, gives: 'idempotency-mismatch' },
    { title: 'refuses another query under the key', attempt: { facts: { query: 'a=1' } }, gives: 'idempotency-mismatch' },
    { title: 'takes the key for another caller’s own', attempt: { facts: { caller: 'bank/other' } }, gives: 'proceed' },
    { title: 'takes the key for another method’s own', attempt: { facts: { method: 'PATCH' } }, gives: 'proceed' },
    { title: 'takes the key for another path’s own', attempt: { facts: { path: '/refunds' } }, gives: 'proceed' },
    {
      title: 'takes the key for another service’s own',
      attempt: { facts: { called: { ...request().called, key: 'bank/cards' as RequestFacts['called']['key'] } } },
      gives: 'proceed',
    },
    { title: 'takes another key for another request', attempt: { keyed: { key: 'k2' } }, gives: 'proceed' },
    { title: 'refuses the same request while it is under way', attempt: {}, gives: 'idempotency-in-flight' },
  ];
  for (const { title, attempt, gives } of other)
    it(title, async () => {
      const setup = setUp();
      await ticketOf(setup);
      expect(shown(await begin(setup, attempt))).to.equal(gives);
    });

  it('refuses another path of the same route under the key', async () => {
    const setup = setUp();
    const keyed = { route: '/accounts/{id}' };
    await ticketOf(setup, { keyed, facts: { path: '/accounts/1' } });
    expect(shown(await begin(setup, { keyed, facts: { path: '/accounts/2' } }))).to.equal('idempotency-mismatch');
  });

  it('says when to ask again about a request under way', async () => {
    const setup = setUp();
    await ticketOf(setup);
    const outcome = await begin(setup);
    expect(outcome.kind === 'refused' && outcome.failure.headers).to.deep.equal({ 'retry-after': '1' });
  });

  it('dispatches again what was not dispatched', async () => {
    const setup = setUp();
    await (await ticketOf(setup)).notDispatched();
    expect(shown(await begin(setup))).to.equal('proceed');
  });

  it('never dispatches an unknown outcome again, and says that it is unknown', async () => {
    const setup = setUp();
    await (await ticketOf(setup)).unknown();
    const outcome = await begin(setup);
    expect(shown(outcome)).to.equal('idempotency-unknown');
    expect(outcome.kind === 'refused' && outcome.failure.headers).to.deep.equal({ 'x-mesh-outcome': 'unknown' });
    expect(outcome.kind === 'refused' && outcome.failure.detail).to.include(request().id);
  });

  it('takes a request whose lease passed for one of unknown outcome, whatever its holder says later', async () => {
    const setup = setUp();
    const ticket = await ticketOf(setup);
    setup.clock.advance(60_000);
    expect(shown(await begin(setup))).to.equal('idempotency-unknown');
    expect(await ticket.complete(created)).to.equal(false);
    expect(shown(await begin(setup))).to.equal('idempotency-unknown');
  });

  it('takes a ticket that is dropped for an unknown outcome', async () => {
    const setup = setUp();
    {
      await using _ticket = await ticketOf(setup);
    }
    expect(shown(await begin(setup))).to.equal('idempotency-unknown');
  });

  it('counts the first report of a ticket only', async () => {
    const setup = setUp();
    const ticket = await ticketOf(setup);
    expect(await ticket.complete(created)).to.equal(true);
    expect([await ticket.unknown(), await ticket.notDispatched(), await ticket.complete(created)]).to.deep.equal([
      false,
      false,
      false,
    ]);
    expect(shown(await begin(setup))).to.equal('answered 201');
  });

  it('says that a request was completed whose answer is no longer kept', async () => {
    const setup = setUp({ memory: { maxAnswerBytes: 10 } });
    await (await ticketOf(setup)).complete(created);
    const outcome = await begin(setup);
    expect(outcome.kind === 'refused' && [outcome.failure.status, outcome.failure.headers]).to.deep.equal([
      409,
      { 'x-mesh-outcome': 'completed' },
    ]);
  });

  it('lets an operator free a key whose request was not processed', async () => {
    const setup = setUp();
    const ticket = await ticketOf(setup);
    await ticket.unknown();
    expect(await setup.idempotency.resolveUnknown(ticket.record, { kind: 'not-processed' }, idempotencyPolicy())).to.deep.equal({
      kind: 'settled',
    });
    expect(shown(await begin(setup))).to.equal('proceed');
  });

  it('lets an operator give the answer of a request that was processed', async () => {
    const setup = setUp();
    const ticket = await ticketOf(setup);
    await ticket.unknown();
    await setup.idempotency.resolveUnknown(ticket.record, { kind: 'processed', answer: created }, idempotencyPolicy());
    expect(shown(await begin(setup))).to.equal('answered 201');
  });

  it('lets no operator resolve what is under way', async () => {
    const setup = setUp();
    const { record } = await ticketOf(setup);
    const { kind } = await setup.idempotency.resolveUnknown(record, { kind: 'processed', answer: created }, idempotencyPolicy());
    expect(kind).to.equal('in-flight');
  });

  it('names records by a hash: no part of a request can be read from it', () => {
    const { idempotency } = setUp();
    const scope = { principal: 'spiffe://a', service: 's', method: 'POST', route: '/iban/DE02', key: 'k1' };
    expect(idempotency.recordOf(scope)).to.match(/^idem:bank:[0-9a-f]{64}$/);
  });

  const redis = { kind: 'redis', url: 'redis://127.0.0.1:1/0', timeoutMs: 100 } as const;
  for (const [title, options] of [
    ['has no connection', { responseKey: Buffer.alloc(32) }],
    ['has no response key', {}],
  ] as const)
    it(`dispatches nothing with a Redis store where the waypoint ${title}`, async () => {
      const outcome = await begin(setUp(options), { keyed: { policy: idempotencyPolicy({ store: redis }) } });
      expect(shown(outcome)).to.equal('idempotency-unavailable');
    });
});
