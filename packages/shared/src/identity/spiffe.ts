/** SPIFFE ids of the form `spiffe://<trust domain>/ns/<namespace>/sa/<service account>` (l4-contract section 2.6). */

declare const brand: unique symbol;

/** The whole URI. Made by {@link parseSpiffeId} and {@link spiffeId} only. */
export type SpiffeId = string & { readonly [brand]: 'SpiffeId' };

export type IdentityParts = { readonly trustDomain: string; readonly namespace: string; readonly serviceAccount: string };

const pattern = /^spiffe:\/\/([^/?#\s]+)\/ns\/([^/?#\s]+)\/sa\/([^/?#\s]+)$/;

export function spiffeId(parts: IdentityParts): SpiffeId {
  return `spiffe://${parts.trustDomain}/ns/${parts.namespace}/sa/${parts.serviceAccount}` as SpiffeId;
}

/** The id, or `undefined` when the text has another shape; a path other than `ns/…/sa/…` is no identity here. */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  return pattern.test(text) ? (text as SpiffeId) : undefined;
}

export function identityParts(id: SpiffeId): IdentityParts {
  const [, trustDomain = '', namespace = '', serviceAccount = ''] = pattern.exec(id) ?? [];
  return { trustDomain, namespace, serviceAccount };
}

/** The id without `spiffe://`, as policies write principals. */
export function principalOf(id: SpiffeId): string {
  return id.slice('spiffe://'.length);
}
