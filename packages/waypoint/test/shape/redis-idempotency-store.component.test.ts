import { expect } from 'chai';
import fc from 'fast-check';
import { after, before, describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { MemoryIdempotencyStore } from '../../src/shape/memory-store.ts';
import type { RedisConnections } from '../../src/shape/redis-connections.ts';
import { RedisIdempotencyStore } from '../../src/shape/redis-idempotency-store.ts';
import { redisDeps, connected, until } from './connected.ts';
import { begin, complete, look, notDispatched, resolve, unknown } from './idempotency-events.ts';
import { RedisServer } from './redis-server.ts';
import { complies, freshRecord, shown } from './store-compliance.ts';

type Setup = AsyncDisposable & {
  readonly server: RedisServer;
  readonly store: RedisIdempotencyStore;
  readonly connections: RedisConnections;
};

/** A store on a server of its own. */
async function setUp(options: readonly string[] = [], timeoutMs = 2_000, waitReplicas = 0): Promise<Setup> {
  const server = await RedisServer.start(options);
  const need = { store: server.store({ timeoutMs }), lane: 'shared' as const };
  const connections = await connected([need]);
  const connection = connections.get(need)!;
  return {
    server,
    connections,
    store: new RedisIdempotencyStore({ waitReplicas, timeoutMs }, { connection }),
    async [Symbol.asyncDispose]() {
      await connections[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe('RedisIdempotencyStore', () => {
  let setup: Setup;
  before(async () => (setup = await setUp()));
  after(() => setup[Symbol.asyncDispose]());

  complies(() => setup.store);

  it('gives the verdicts of the pure state machine, whatever happens in whatever order', async () => {
    const token = fc.constantFrom('t1', 't2', 't3');
    const event = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.tuple(token, fc.constantFrom('f1', 'f2'), fc.constantFrom(0, 60_000)).map((args) => begin(...args)),
      },
      token.map((name) => complete(name)),
      token.map((name) => unknown(name)),
      token.map((name) => notDispatched(name)),
      fc.constant(look),
      fc.constant(resolve()),
      fc.constant(resolve('found')),
    );
    const model = new MemoryIdempotencyStore({}, { clock: systemClock });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 12 }), async (events) => {
        const record = freshRecord();
        for (const one of events)
          expect(shown(await setup.store.apply(record, one))).to.equal(shown(await model.apply(record, one)));
      }),
      { numRuns: 300 },
    );
  });

  it('lets only finished requests expire', async () => {
    const { Redis } = await import('ioredis');
    const client = new Redis(setup.server.port);
    const record = freshRecord();
    const ttls: number[] = [];
    for (const event of [begin(), unknown(), resolve('found')]) {
      await setup.store.apply(record, event);
      ttls.push(await client.pttl(record));
    }
    client.disconnect();
    expect(ttls.slice(0, 2)).to.deep.equal([-1, -1]);
    expect(ttls[2]).to.be.within(50_000, 60_000);
  });

  it('survives a server that forgot its scripts', async () => {
    const { Redis } = await import('ioredis');
    const client = new Redis(setup.server.port);
    await client.script('FLUSH');
    client.disconnect();
    expect((await setup.store.apply(freshRecord(), begin())).kind).to.equal('claimed');
  });

  it('is unavailable over something that is no record', async () => {
    const { Redis } = await import('ioredis');
    const client = new Redis(setup.server.port);
    const record = freshRecord();
    await client.set(record, 'text');
    client.disconnect();
    expect((await setup.store.apply(record, begin())).kind).to.equal('unavailable');
  });
});

describe('RedisIdempotencyStore in trouble', () => {
  it('is unavailable at once when the server is gone, and serves again when it is back', async () => {
    await using setup = await setUp();
    await setup.server.kill();
    await until(setup.connections, ({ kind }) => kind !== 'ready');
    const started = performance.now();
    expect((await setup.store.apply(freshRecord(), begin())).kind).to.equal('unavailable');
    expect(performance.now() - started).to.be.below(50);
    await using _again = await RedisServer.start([], setup.server.port);
    await until(setup.connections, ({ kind }) => kind === 'ready');
    expect((await setup.store.apply(freshRecord(), begin())).kind).to.equal('claimed');
  });

  it('is unavailable within its time when the server hangs, and takes the claim back that was made meanwhile', async () => {
    await using setup = await setUp([], 100);
    const record = freshRecord();
    await setup.server.pause();
    const started = performance.now();
    expect(await setup.store.apply(record, begin())).to.deep.equal({ kind: 'unavailable', detail: 'Command timed out' });
    expect(performance.now() - started).to.be.within(90, 1_000);
    setup.server.resume();
    await until(setup.connections, ({ kind }) => kind === 'ready');
    // Behind the begin and its withdrawal on the same connection.
    expect((await setup.store.apply(record, look)).kind).to.equal('absent');
  });

  it('is unavailable when the server is full, and still frees keys', async () => {
    await using setup = await setUp(['--maxmemory', '3mb', '--maxmemory-policy', 'noeviction']);
    const record = freshRecord();
    await setup.store.apply(record, begin());
    const { Redis } = await import('ioredis');
    const client = new Redis(setup.server.port);
    for (let size = 65_536, index = 0; size >= 16; size /= 4)
      while ((await client.set(`fill-${index++}`, 'x'.repeat(size)).catch(() => 'full')) !== 'full');
    const refused = await setup.store.apply(freshRecord(), begin());
    expect(refused.kind === 'unavailable' && refused.detail).to.match(/^OOM /);
    expect((await setup.store.apply(record, begin('t2'))).kind).to.equal('in-flight');
    expect((await setup.store.apply(record, notDispatched())).kind).to.equal('settled');
    client.disconnect();
  });

  it('takes no key where the server evicts keys', async () => {
    await using setup = await setUp(['--maxmemory', '10mb', '--maxmemory-policy', 'allkeys-lru']);
    const refused = await setup.store.apply(freshRecord(), begin());
    expect(refused.kind === 'unavailable' && refused.detail).to.include('noeviction');
  });

  it('takes no key without the replicas it needs, and leaves none behind', async () => {
    await using setup = await setUp([], 200, 1);
    const record = freshRecord();
    expect(await setup.store.apply(record, begin())).to.deep.equal({
      kind: 'unavailable',
      detail: '0 of 1 Redis replicas have the key',
    });
    expect((await setup.store.apply(record, look)).kind).to.equal('absent');
  });

  it('takes keys that a replica has, many in one wait', async () => {
    await using setup = await setUp(['--repl-diskless-sync-delay', '0'], 2_000, 1);
    await using _replica = await RedisServer.start(['--replicaof', '127.0.0.1', String(setup.server.port)]);
    const deadline = performance.now() + 8_000;
    while ((await setup.store.apply(freshRecord(), begin())).kind !== 'claimed' && performance.now() < deadline);
    const { Redis } = await import('ioredis');
    const client = new Redis(setup.server.port);
    const waits = async (): Promise<number> =>
      Number(/cmdstat_wait:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0);
    const before = await waits();
    const verdicts = await Promise.all(
      Array.from({ length: 50 }, () => setup.store.apply(freshRecord(), begin(systemRandom.hex(4)))),
    );
    const sent = (await waits()) - before;
    client.disconnect();
    expect(verdicts.every(({ kind }) => kind === 'claimed')).to.equal(true);
    expect(sent).to.be.within(1, 5);
  });

  it('leaves no timer and no socket behind', async () => {
    const open = (): number => process.getActiveResourcesInfo().filter((name) => /^TCP|^Timeout/.test(name)).length;
    // mocha sets its own timer once the test has first awaited.
    await new Promise((resolve) => setImmediate(resolve));
    const atStart = open();
    for (let round = 0; round < 3; round++) {
      await using setup = await setUp();
      await setup.store.apply(freshRecord(), begin());
    }
    await using server = await RedisServer.start();
    const connections = await connected([{ store: server.store(), lane: 'shared' }], redisDeps);
    await server.kill();
    await until(connections, ({ kind }) => kind === 'waiting');
    await connections[Symbol.asyncDispose]();
    await new Promise((resolve) => setImmediate(resolve));
    expect(open()).to.equal(atStart);
  });
});
