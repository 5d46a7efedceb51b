/** The token in an `authorization` header (RFC 6750 section 2.1): a signed JWT, as service account tokens are. */

export type BearerToken =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** Bytes; projected tokens have about 1 KiB. */
const maxTokenBytes = 16 * 1024;

export function bearerToken(header: string | null): BearerToken {
  if (header === null || header === '') return { kind: 'refused', reason: 'no token' };
  const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(header)?.[1];
  if (token === undefined || token.length > maxTokenBytes)
    return { kind: 'refused', reason: 'the authorization header holds no token' };
  return { kind: 'token', token };
}
