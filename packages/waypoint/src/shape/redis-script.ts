import { createHash } from 'node:crypto';

/** A Lua script, named by the SHA-1 of its text as Redis does (EVALSHA). */
export type RedisScript = { readonly source: string; readonly sha: string };

export function redisScript(source: string): RedisScript {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}
