/** SPIFFE ids of the form `spiffe://<trust domain>/ns/<namespace>/sa/<service account>` (l4-contract section 2.6). */

declare const brand: unique symbol;

/** The whole URI. Made by {@link parseSpiffeId} and {@link spiffeId} only. */
export type SpiffeId = string & { readonly [brand]: 'SpiffeId' };

export type IdentityParts = { readonly trustDomain: string; readonly namespace: string; readonly serviceAccount: string };

/** SPIFFE ID specification sections 2.1, 2.2: letters, digits, dot, dash and underscore; `.` and `..` are no path segments. */
const pattern = /^spiffe:\/\/([a-z0-9._-]{1,255})\/ns\/(?!\.{1,2}\/)([A-Za-z0-9._-]+)\/sa\/(?!\.{1,2}$)([A-Za-z0-9._-]+)$/;
/** SPIFFE ID specification section 2.3, bytes. */
const MAX_LENGTH = 2048;

export function spiffeId(parts: IdentityParts): SpiffeId {
  return `spiffe://${parts.trustDomain}/ns/${parts.namespace}/sa/${parts.serviceAccount}` as SpiffeId;
}

/** The id, or `undefined` when the text has another shape; a path other than `ns/…/sa/…` is no identity here. */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  return text.length <= MAX_LENGTH && pattern.test(text) ? (text as SpiffeId) : undefined;
}

export function identityParts(id: SpiffeId): IdentityParts {
  // The brand promises the shape: spiffe: "" trustDomain ns namespace sa serviceAccount.
  const [, , trustDomain = '', , namespace = '', , serviceAccount = ''] = id.split('/');
  return { trustDomain, namespace, serviceAccount };
}

/** The id without `spiffe://`, as policies write principals. */
export function principalOf(id: SpiffeId): string {
  return id.slice('spiffe://'.length);
}
