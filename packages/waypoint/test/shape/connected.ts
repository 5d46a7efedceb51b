/** Connections to a test's Redis, once they stand. */
import { readFile } from 'node:fs/promises';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { RedisConnections } from '../../src/shape/redis-connections.ts';
import type { RedisConnectionDeps, RedisHealth } from '../../src/shape/redis-connection.ts';
import type { RedisNeed } from '../../src/shape/redis-connections.ts';

export const redisDeps: RedisConnectionDeps = {
  clock: systemClock,
  random: systemRandom,
  logger: silentLogger,
  readText: (path) => readFile(path, 'utf8'),
};

/** Opens what is needed and waits until all of it is ready. */
export async function connected(needs: readonly RedisNeed[], deps: RedisConnectionDeps = redisDeps): Promise<RedisConnections> {
  const connections = new RedisConnections({}, deps);
  connections.retain(needs);
  await until(connections, ({ kind }) => kind === 'ready');
  return connections;
}

/** Waits until every connection is as described. */
export async function until(connections: RedisConnections, is: (health: RedisHealth) => boolean): Promise<void> {
  const deadline = Date.now() + 8_000;
  while (![...connections.health().values()].every(is)) {
    if (Date.now() > deadline) throw new Error(`redis connections stay ${JSON.stringify([...connections.health()])}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
