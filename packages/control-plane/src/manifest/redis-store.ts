/** State that waypoint replicas share, as policies name it. */
import { Type } from 'typebox';
import { durationSchema } from './duration.ts';
import { refined } from './patterned.ts';
import { strict } from './policy-schema.ts';

export type RedisStoreManifest = {
  /** `redis://host:port/db`, without credentials. */
  readonly url: string;
  /** File in the waypoint's file system that holds the password. */
  readonly passwordFile?: string;
  /** @default 100ms */
  readonly timeout?: string;
};

const urlShape = /^rediss?:\/\/[^\s/@?#]+(?:\/\d{0,3})?$/;

export const redisStoreSchema: Type.TUnsafe<RedisStoreManifest> = Type.Unsafe<RedisStoreManifest>(
  Type.Object(
    {
      url: refined(
        urlShape,
        (text) => urlShape.test(text) && isStoreUrl(text),
        'redis://host:port or rediss://host:port, without credentials (name a passwordFile)',
      ),
      passwordFile: Type.Optional(Type.String({ minLength: 1 })),
      timeout: Type.Optional(durationSchema),
    },
    strict,
  ),
);

/** A password in a manifest would be in every log and dump that shows the manifest. */
function isStoreUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'redis:' && url.protocol !== 'rediss:')) return false;
  return url.hostname !== '' && url.username === '' && url.password === '';
}
