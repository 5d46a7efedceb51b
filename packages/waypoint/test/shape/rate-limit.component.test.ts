import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import type { RateLimit, RateLimitPolicy } from '@clearmesh/shared/model/l7/rate-limit';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { RateLimiter } from '../../src/shape/rate-limit.ts';
import type { CompiledRateLimits } from '../../src/shape/rate-limit-rules.ts';
import type { RedisConnections } from '../../src/shape/redis-connections.ts';
import { connected } from './connected.ts';
import { compiled, limit, policy } from './rate-limits.ts';
import { RedisServer } from './redis-server.ts';
import { request } from './requests.ts';

/** Slow enough that nothing is refilled during a test. */
const slow = { scope: 'global', requests: 1, windowMs: 3_600_000 } as const;

describe('RateLimiter on Redis (B9)', () => {
  let server: RedisServer;
  let connections: RedisConnections;
  let replicas: readonly RateLimiter[];
  const limiterOf = (redis: RedisConnections): RateLimiter =>
    new RateLimiter({}, { clock: systemClock, random: systemRandom, redis });
  before(async () => {
    server = await RedisServer.start();
    connections = await connected([{ store: server.store(), lane: 'shared' }]);
    replicas = [limiterOf(connections), limiterOf(connections)];
  });
  after(async () => {
    await connections[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  let drawn = 0;
  /** Limits nobody else counts in. */
  function rulesOf(limits: readonly Partial<RateLimit>[], overrides: Partial<RateLimitPolicy> = {}): CompiledRateLimits {
    const all = limits.map((one) => limit({ ...slow, ...one }));
    return compiled(policy(all, { key: `RateLimitPolicy bank/${drawn++}`, store: server.store(), ...overrides }));
  }

  async function allowed(rules: CompiledRateLimits, callers: readonly string[]): Promise<boolean[]> {
    const outcomes: boolean[] = [];
    for (const [index, caller] of callers.entries())
      outcomes.push((await replicas[index % 2]!.checkGlobal(rules, request({ caller }))).kind === 'allowed');
    return outcomes;
  }

  it('counts the requests of all replicas together', async () => {
    const rules = rulesOf([{ burst: 3 }]);
    expect(
      await allowed(
        rules,
        Array.from({ length: 5 }, () => 'bank/a'),
      ),
    ).to.deep.equal([true, true, true, false, false]);
  });

  it('lets no more through when all ask at once', async () => {
    const rules = rulesOf([{ burst: 10 }]);
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, index) => replicas[index % 2]!.checkGlobal(rules, request())),
    );
    expect(outcomes.filter(({ kind }) => kind === 'allowed')).to.have.lengthOf(10);
  });

  it('takes nothing from the limit of all for a caller over his own', async () => {
    const rules = rulesOf([{ name: 'each', burst: 1, key: [{ kind: 'identity' }] }, { burst: 2 }]);
    expect(await allowed(rules, ['bank/a', 'bank/a', 'bank/a', 'bank/b', 'bank/c'])).to.deep.equal([
      true,
      false,
      false,
      true,
      false,
    ]);
  });

  it('reports shadow limits', async () => {
    const rules = rulesOf([{ name: 'trial', burst: 1, shadow: true }, { burst: 5 }]);
    const first = await replicas[0]!.checkGlobal(rules, request());
    const second = await replicas[0]!.checkGlobal(rules, request());
    expect([first.shadowed.length, second.shadowed.length, second.kind]).to.deep.equal([0, 1, 'allowed']);
  });

  it('refills by the time that has passed, and forgets full buckets', async () => {
    const rules = rulesOf([{ burst: 1, requests: 1, windowMs: 50 }]);
    expect(await allowed(rules, ['bank/a', 'bank/a'])).to.deep.equal([true, false]);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(await allowed(rules, ['bank/a'])).to.deep.equal([true]);
  });

  it('asks once for all limits of a request', async () => {
    const { Redis } = await import('ioredis');
    const client = new Redis(server.port);
    const calls = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0);
    const own = policy([limit({ ...slow, name: 'own' })], { key: 'RateLimitPolicy bank/second', store: server.store() });
    const first = policy([limit({ ...slow, name: 'a' }), limit({ ...slow, name: 'b', key: [{ kind: 'method' }] })], {
      store: server.store(),
    });
    const before = await calls();
    const outcome = await replicas[0]!.checkGlobal(compiled(first, own), request());
    const asked = (await calls()) - before;
    client.disconnect();
    expect([outcome.kind, asked]).to.deep.equal(['allowed', 1]);
  });

  it('leaves nothing of a caller in the store', async () => {
    await allowed(rulesOf([{ burst: 5, key: [{ kind: 'identity' }, { kind: 'path' }] }]), ['bank/alice']);
    const { Redis } = await import('ioredis');
    const client = new Redis(server.port);
    const names = await client.keys('*');
    const ttls = await Promise.all(names.map((name) => client.pttl(name)));
    client.disconnect();
    expect(names.join('\n')).to.not.match(/alice|payments/);
    expect(ttls.filter((ttl) => ttl <= 0 && ttl !== -2)).to.deep.equal([]);
  });

  it('combines limits that are kept in two stores', async () => {
    await using other = await RedisServer.start();
    const both = [server.store(), other.store()];
    await using own = await connected(both.map((store) => ({ store, lane: 'shared' })));
    const limiter = limiterOf(own);
    const [here, there] = both.map((store, index) =>
      policy([limit({ ...slow, name: `limit-${index}`, requests: 5, burst: 5 - index })], {
        key: `RateLimitPolicy bank/two-${index}`,
        store,
      }),
    );
    const rules = compiled(here!, there!);
    const outcome = await limiter.checkGlobal(rules, request());
    expect(outcome.kind === 'allowed' && outcome.headers['ratelimit-policy']).to.equal(
      '"limit-0";q=5;w=3600, "limit-1";q=5;w=3600',
    );
    await other.kill();
    const without = await limiter.checkGlobal(rules, request());
    expect(without.kind === 'allowed' && without.storeFailure).to.be.a('string');
  });

  it('goes by its policy within the time limit when the store hangs', async () => {
    await using own = await RedisServer.start();
    const store = own.store({ timeoutMs: 50 });
    await using connections = await connected([{ store, lane: 'shared' }]);
    const limiter = limiterOf(connections);
    await own.pause();
    const outcome = (onStoreFailure: RateLimitPolicy['onStoreFailure']) =>
      limiter.checkGlobal(compiled(policy([limit(slow)], { store, onStoreFailure })), request());
    const started = performance.now();
    const [open, shut] = await Promise.all([outcome('allow'), outcome('deny')]);
    expect(performance.now() - started).to.be.below(500);
    own.resume();
    expect([open.kind === 'allowed' && open.storeFailure, shut.kind === 'refused' && shut.failure.kind]).to.deep.equal([
      'Command timed out',
      'rate-limit-unavailable',
    ]);
  });
});
