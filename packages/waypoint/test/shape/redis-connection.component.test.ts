import { expect } from 'chai';
import { describe, it } from 'mocha';
import { createLogger } from '@clearmesh/shared/observe/log';
import { idempotencyPolicy } from './requests.ts';
import { RedisConnections, redisNeedsOf } from '../../src/shape/redis-connections.ts';
import { redisAddress } from '../../src/shape/redis-client.ts';
import { redisScript } from '../../src/shape/redis-script.ts';
import { connected, redisDeps, until } from './connected.ts';
import { RedisServer } from './redis-server.ts';

const ping = redisScript('return "pong"');

describe('RedisConnections', () => {
  it('shares one connection between equal stores, and keeps the replicated lane apart', async () => {
    await using server = await RedisServer.start();
    await using connections = await connected([
      { store: server.store(), lane: 'shared' },
      { store: server.store(), lane: 'shared' },
      { store: server.store(), lane: 'replicated' },
    ]);
    expect([...connections.health().keys()]).to.deep.equal([
      `redis://127.0.0.1:${server.port}/0 shared 2000 ms`,
      `redis://127.0.0.1:${server.port}/0 replicated 2000 ms`,
    ]);
    expect(connections.get({ store: server.store(), lane: 'shared' })).to.equal(
      connections.get({ store: server.store(), lane: 'shared' }),
    );
  });

  it('closes what is no longer wanted and keeps the rest', async () => {
    await using server = await RedisServer.start();
    const [first, second] = [
      { store: server.store(), lane: 'shared' as const },
      { store: server.store({ timeoutMs: 900 }), lane: 'shared' as const },
    ];
    await using connections = await connected([first, second]);
    const kept = connections.get(second);
    connections.retain([second]);
    expect([connections.get(first), connections.get(second)]).to.deep.equal([undefined, kept]);
    const { Redis } = await import('ioredis');
    const client = new Redis(server.port);
    const names = (): Promise<number> =>
      client.client('LIST').then((list) => String(list).match(/name=clearmesh-waypoint/g)?.length ?? 0);
    for (let tries = 0; (await names()) !== 1 && tries < 200; tries++) await new Promise((resolve) => setTimeout(resolve, 5));
    const left = await names();
    client.disconnect();
    expect(left).to.equal(1);
  });

  it('opens no more than its bound', () => {
    const connections = new RedisConnections({ maxConnections: 1 }, redisDeps);
    connections.retain(
      [1, 2].map((port) => ({ store: { kind: 'redis', url: `redis://127.0.0.1:${port}/0`, timeoutMs: 100 }, lane: 'shared' })),
    );
    expect(connections.health().size).to.equal(1);
    return connections[Symbol.asyncDispose]();
  });

  it('logs in with the password of the file, read anew after it was changed', async () => {
    await using server = await RedisServer.start(['--requirepass', 'right']);
    let password = 'wrong\n';
    const lines: string[] = [];
    const logger = createLogger('redis', { level: 'debug', write: (line) => lines.push(line) });
    const need = { store: server.store({ passwordFile: '/secret/redis' }), lane: 'shared' as const };
    await using connections = new RedisConnections({}, { ...redisDeps, logger, readText: () => Promise.resolve(password) });
    connections.retain([need]);
    await until(connections, ({ kind }) => kind === 'waiting');
    const [refused] = connections.health().values();
    expect(refused?.kind === 'waiting' && refused.error).to.match(/^WRONGPASS/);
    password = 'right\n';
    await until(connections, ({ kind }) => kind === 'ready');
    expect(String(await connections.get(need)!.run(ping, [], []))).to.equal('pong');
    expect(lines.join('') + JSON.stringify([...connections.health()])).to.not.match(/wrong\b|right/);
  });

  it('stays without a connection while the password file cannot be read', async () => {
    await using server = await RedisServer.start();
    const need = { store: server.store({ passwordFile: '/nowhere/redis' }), lane: 'shared' as const };
    await using connections = new RedisConnections({}, redisDeps);
    connections.retain([need]);
    await until(connections, ({ kind }) => kind === 'waiting');
    const [health] = connections.health().values();
    expect(health?.kind === 'waiting' && health.error).to.include('/nowhere/redis');
  });

  it('leaves a server that hangs, and comes back to it', async () => {
    await using server = await RedisServer.start();
    const need = { store: server.store({ timeoutMs: 50 }), lane: 'shared' as const };
    await using connections = await connected([need]);
    await server.pause();
    const thrown = await connections
      .get(need)!
      .run(ping, [], [])
      .catch((error: unknown) => error);
    expect((thrown as Error).message).to.equal('Command timed out');
    await until(connections, ({ kind }) => kind !== 'ready');
    server.resume();
    await until(connections, ({ kind }) => kind === 'ready');
  });

  it('shows nothing of a command that failed', async () => {
    await using server = await RedisServer.start();
    const need = { store: server.store(), lane: 'shared' as const };
    await using connections = await connected([need]);
    const thrown = await connections
      .get(need)!
      .run(redisScript('return redis.error_reply("ERR no")'), ['secret-key'], ['secret'])
      .catch((error: unknown) => error);
    expect(JSON.stringify(Object.getOwnPropertyDescriptors(thrown))).to.not.include('secret');
  });

  it('has no connection for a URL that is none', async () => {
    await using connections = new RedisConnections({}, redisDeps);
    connections.retain([{ store: { kind: 'redis', url: 'http://redis', timeoutMs: 100 }, lane: 'shared' }]);
    expect(connections.health().size).to.equal(0);
  });
});

describe('redisAddress', () => {
  const table: readonly [string, string][] = [
    ['redis://keys', 'keys 6379 0'],
    ['redis://keys:7000/3', 'keys 7000 3'],
    ['redis://[::1]:7000/', '::1 7000 0'],
    ['redis://user:secret@keys/0', 'credentials'],
    ['rediss://keys', 'not redis://host:port/db'],
    ['redis://keys/one', 'not redis://host:port/db'],
    ['redis://keys/0?db=1', 'not redis://host:port/db'],
    ['keys:6379', 'not redis://host:port/db'],
    ['', 'not redis://host:port/db'],
  ];
  for (const [url, gives] of table)
    it(`reads ${JSON.stringify(url)}`, () => {
      let shown: string;
      try {
        const { host, port, db } = redisAddress(url);
        shown = `${host} ${port} ${db}`;
      } catch (thrown) {
        shown = (thrown as Error).message;
      }
      expect(shown).to.include(gives).and.not.include('secret');
    });
});

describe('redisNeedsOf', () => {
  it('asks for the stores of keys and of global limits', () => {
    const store = { kind: 'redis', url: 'redis://keys', timeoutMs: 100 } as const;
    const limits = { kind: 'redis', url: 'redis://limits', timeoutMs: 100 } as const;
    const resilience = (policy: Parameters<typeof idempotencyPolicy>[0]) => ({ idempotency: idempotencyPolicy(policy) }) as never;
    const needs = redisNeedsOf({
      resilience: {
        a: resilience({ store, waitReplicas: 1 }),
        b: resilience({ store: { kind: 'memory' } }),
        c: resilience({ store: limits, mode: 'native' }),
        d: {} as never,
      },
      rateLimits: {
        e: { key: 'e', limits: [], store: limits, onStoreFailure: 'allow' },
        f: { key: 'f', limits: [], onStoreFailure: 'allow' },
      },
    });
    expect(needs).to.deep.equal([
      { store, lane: 'shared' },
      { store, lane: 'replicated' },
      { store: limits, lane: 'shared' },
    ]);
  });
});
