import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import type { IdempotencyPolicy } from '@clearmesh/shared/model/l7/resilience';
import { Idempotency } from '../../src/shape/idempotency.ts';
import type { RedisConnections } from '../../src/shape/redis-connections.ts';
import { connected, until } from './connected.ts';
import { RedisServer } from './redis-server.ts';
import { freshRecord } from './store-compliance.ts';
import { idempotencyPolicy, request } from './requests.ts';

/** Two replicas of a waypoint before a service that counts what reaches it. */
class Domain {
  dispatched = 0;
  readonly replicas: readonly Idempotency[];
  readonly policy: IdempotencyPolicy;

  constructor(server: RedisServer, connections: RedisConnections, policy: Partial<IdempotencyPolicy> = {}) {
    const options = { domain: 'bank', responseKey: Buffer.alloc(32, 7) };
    const deps = { clock: systemClock, random: systemRandom, redis: connections };
    this.replicas = [new Idempotency(options, deps), new Idempotency(options, deps)];
    this.policy = idempotencyPolicy({ store: server.store({ timeoutMs: 500 }), ...policy });
  }

  /** Sends through one replica; the service answers 201 and its count. */
  async send(replica: number, key: string, body = 'pay', reports: 'completes' | 'dies' = 'completes'): Promise<string> {
    const outcome = await this.replicas[replica]!.begin(request(), { policy: this.policy, key, body: Buffer.from(body) });
    if (outcome.kind === 'refused') return outcome.failure.kind;
    if (outcome.kind === 'answered') return `replayed ${Buffer.from(outcome.answer.body).toString()}`;
    this.dispatched += 1;
    const answer = `receipt ${this.dispatched}`;
    if (reports === 'completes') await outcome.ticket.complete({ status: 201, headers: {}, body: Buffer.from(answer) });
    return answer;
  }
}

const need = (server: RedisServer) => ({ store: server.store({ timeoutMs: 500 }), lane: 'shared' as const });

describe('Idempotency on Redis (C1)', () => {
  let server: RedisServer;
  let connections: RedisConnections;
  before(async () => {
    server = await RedisServer.start();
    connections = await connected([need(server)]);
  });
  after(async () => {
    await connections[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  it('dispatches one of a hundred equal requests over two replicas', async () => {
    const domain = new Domain(server, connections);
    const key = freshRecord();
    const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => domain.send(index % 2, key)));
    expect(domain.dispatched).to.equal(1);
    expect(answers.filter((answer) => answer === 'receipt 1')).to.have.lengthOf(1);
    expect(answers.every((answer) => ['receipt 1', 'replayed receipt 1', 'idempotency-in-flight'].includes(answer))).to.equal(
      true,
    );
    expect(await domain.send(1, key)).to.equal('replayed receipt 1');
  });

  it('refuses a changed body at the other replica', async () => {
    const domain = new Domain(server, connections);
    const key = freshRecord();
    await domain.send(0, key);
    expect([await domain.send(1, key, 'pay more'), domain.dispatched]).to.deep.equal(['idempotency-mismatch', 1]);
  });

  it('leaves an unknown outcome when a replica dies midway', async () => {
    const domain = new Domain(server, connections, { leaseMs: 40 });
    const key = freshRecord();
    await domain.send(0, key, 'pay', 'dies');
    expect(await domain.send(1, key)).to.equal('idempotency-in-flight');
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect([await domain.send(1, key), domain.dispatched]).to.deep.equal(['idempotency-unknown', 1]);
  });

  it('keeps answers unreadable in Redis', async () => {
    const domain = new Domain(server, connections);
    await domain.send(0, freshRecord());
    const { Redis } = await import('ioredis');
    const client = new Redis(server.port);
    const dump: string[] = [];
    for (const key of await client.keys('*')) dump.push(key, JSON.stringify(await client.hgetall(key)));
    client.disconnect();
    expect(dump.length).to.be.above(0);
    expect(dump.join('\n')).to.not.match(/receipt|payments|spiffe/);
  });

  it('says that an answer is completed which another key sealed, and does not dispatch', async () => {
    const domain = new Domain(server, connections);
    const key = freshRecord();
    await domain.send(0, key);
    const deps = { clock: systemClock, random: systemRandom, redis: connections };
    const rotated = new Idempotency({ domain: 'bank', responseKey: Buffer.alloc(32, 8) }, deps);
    const outcome = await rotated.begin(request(), { policy: domain.policy, key, body: Buffer.from('pay') });
    expect(outcome.kind === 'refused' && outcome.failure.headers).to.deep.equal({ 'x-mesh-outcome': 'completed' });
  });

  it('lets an operator answer for a request of unknown outcome', async () => {
    const domain = new Domain(server, connections, { leaseMs: 1 });
    const [replica] = domain.replicas;
    const key = freshRecord();
    await domain.send(0, key, 'pay', 'dies');
    await new Promise((resolve) => setTimeout(resolve, 10));
    const { identity } = request().caller;
    const scope = { principal: identity, service: request().called.key, method: 'POST', route: '/payments', key };
    const answer = { status: 201, headers: {}, body: Buffer.from('by hand') };
    await replica!.resolveUnknown(replica!.recordOf(scope), { kind: 'processed', answer }, domain.policy);
    expect(await domain.send(1, key)).to.equal('replayed by hand');
  });

  it('dispatches nothing once Redis is killed, and keeps the answer of a request that was under way', async () => {
    await using own = await RedisServer.start();
    await using connections = await connected([need(own)]);
    const domain = new Domain(own, connections);
    const underWay = await domain.replicas[0]!.begin(request(), { policy: domain.policy, key: 'k0', body: Buffer.from('pay') });
    await own.kill();
    await until(connections, ({ kind }) => kind !== 'ready');
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => domain.send(0, `k${index}`)));
    expect([...new Set(answers)]).to.deep.equal(['idempotency-unavailable']);
    expect(domain.dispatched).to.equal(0);
    if (underWay.kind !== 'proceed') throw new Error(underWay.kind);
    expect(await underWay.ticket.complete({ status: 201, headers: {} })).to.equal(false);
  });

  it('dispatches nothing while Redis hangs', async () => {
    await using own = await RedisServer.start();
    await using connections = await connected([need(own)]);
    const domain = new Domain(own, connections);
    await own.pause();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => domain.send(0, `k${index}`)));
    own.resume();
    expect([...new Set(answers), domain.dispatched]).to.deep.equal(['idempotency-unavailable', 0]);
  });
});
