import { createHmac } from 'node:crypto';

/** A token signed with a shared secret; valid from 2018 to 2041 unless the claims say otherwise. */
export function token(claims: object, secret = 'secret'): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ nbf: 1_520_000_000, exp: 2_240_000_000, ...claims })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
