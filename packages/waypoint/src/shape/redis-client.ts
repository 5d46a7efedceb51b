/** How ioredis is set up: as a client that fails at once, and leaves retrying to its owner. */
import { Redis } from 'ioredis';
import type { KeyValueStore } from '@clearmesh/shared/model/l7/resilience';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

export type RedisStore = Extract<KeyValueStore, { kind: 'redis' }>;

/** Where the server is. Throws MESH-CONFIG-003 for anything but `redis://host:port/db` without credentials. */
export function redisAddress(text: string): { readonly host: string; readonly port: number; readonly db: number } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const db = /^\/?(\d{0,4})$/.exec(url?.pathname ?? '')?.[1];
  if (url?.protocol !== 'redis:' || url.hostname === '' || db === undefined || url.search !== '')
    throw unusable(`the store URL ${JSON.stringify(shown(text))} is not redis://host:port/db`);
  if (url.username !== '' || url.password !== '') throw unusable(`the store URL of ${url.host} holds credentials`);
  return { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: url.port === '' ? 6379 : Number(url.port), db: Number(db) };
}

/** A client that has not connected yet. */
export function openRedis(store: RedisStore): Redis {
  const { host, port, db } = redisAddress(store.url);
  return new Redis({
    host,
    port,
    db,
    lazyConnect: true,
    protocol: 2,
    connectionName: 'clearmesh-waypoint',
    disableClientInfo: true,
    commandTimeout: store.timeoutMs,
    connectTimeout: Math.max(1_000, store.timeoutMs * 10),
    socketTimeout: Math.max(1_000, store.timeoutMs * 10),
    // A command that waited would be carried out when its request has long been refused; one sent again, twice.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    // After a failover the old primary takes no writes: connect again, to where the name now leads.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
}

function unusable(message: string): MeshError {
  return new MeshError('MESH-CONFIG-003', {
    message,
    hint: 'Set it to redis://host:port/db and put the password in a file (passwordFile).',
  });
}

/** A URL without what may be a password. */
function shown(text: string): string {
  return text.replace(/\/\/.*@/, '//…@').slice(0, 200);
}
