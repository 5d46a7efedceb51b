/**
 * Matchers on the peer's identity (l4-contract section 9). They compare parts of the SPIFFE id in place:
 * a policy is evaluated for each connection, and most matchers miss.
 */
import type { ServiceAccountMatch, StringMatch } from '../model/authorization.ts';
import type { SpiffeId } from '../identity/spiffe.ts';
import { stringMatches } from './string-match.ts';

const SCHEME = 'spiffe://';
const NAMESPACE = '/ns/';
const SERVICE_ACCOUNT = '/sa/';

/** The id without its scheme. A plaintext peer has no principal, so that even presence fails. */
export function principalMatches(match: StringMatch, identity: SpiffeId | undefined): boolean {
  return identity !== undefined && stringMatches(match, identity, SCHEME.length, identity.length);
}

/** The namespace of the id, "" for a plaintext peer. */
export function namespaceMatches(match: StringMatch, identity: SpiffeId | undefined): boolean {
  if (identity === undefined) return stringMatches(match, '', 0, 0);
  const start = namespaceStart(identity);
  return stringMatches(match, identity, start, identity.indexOf('/', start));
}

/** Namespace and account, whatever the trust domain. */
export function serviceAccountMatches(match: ServiceAccountMatch, identity: SpiffeId | undefined): boolean {
  if (identity === undefined) return false;
  const start = namespaceStart(identity);
  const end = start + match.namespace.length;
  const account = end + SERVICE_ACCOUNT.length;
  return (
    identity.length === account + match.serviceAccount.length &&
    identity.startsWith(match.namespace, start) &&
    identity.startsWith(SERVICE_ACCOUNT, end) &&
    identity.startsWith(match.serviceAccount, account)
  );
}

/** A trust domain holds no slash, so the first one after the scheme begins `/ns/`. */
function namespaceStart(identity: SpiffeId): number {
  return identity.indexOf('/', SCHEME.length) + NAMESPACE.length;
}
