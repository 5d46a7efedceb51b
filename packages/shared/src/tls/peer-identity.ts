/** Whether a verified certificate names a peer this side may talk to (l4-contract section 2.6); pure. */
import { identityParts } from '../identity/spiffe.ts';
import type { SpiffeId } from '../identity/spiffe.ts';
import type { HandshakeFailure } from './handshake-failure.ts';

export type PeerVerdict =
  | { readonly kind: 'accepted'; readonly identity: SpiffeId }
  | { readonly kind: 'rejected'; readonly failure: HandshakeFailure };

/** What decides over the SPIFFE ids of a peer's certificate, in the order they stand there. */
export type PeerRule = (identities: readonly SpiffeId[]) => PeerVerdict;

/**
 * For a server: the client's first id in the trust domain of the accepting workload is its identity. Ids of other domains
 * beside it are passed over: the id that policy sees is always the one that was checked.
 */
export function clientOf(trustDomain: string): PeerRule {
  return (identities) => {
    const identity = identities.find((id) => identityParts(id).trustDomain === trustDomain);
    if (identity !== undefined) return { kind: 'accepted', identity };
    if (identities.length === 0) return rejected('no-identity', 'no SPIFFE id among the subject alternative names');
    return rejected('other-trust-domain', `expected trust domain ${trustDomain}, got ${identities.join(', ')}`);
  };
}

/** For a client: the server is the first of its ids that is expected; an empty list accepts nobody. */
export function serverAmong(acceptedPeers: readonly SpiffeId[]): PeerRule {
  return (identities) => {
    const identity = identities.find((id) => acceptedPeers.includes(id));
    if (identity !== undefined) return { kind: 'accepted', identity };
    if (identities.length === 0) return rejected('no-identity', 'no SPIFFE id among the subject alternative names');
    const expected = acceptedPeers.length === 0 ? 'nobody' : acceptedPeers.join(' or ');
    return rejected('unexpected-identity', `expected ${expected}, got ${identities.join(', ')}`);
  };
}

function rejected(reason: HandshakeFailure['reason'], detail: string): PeerVerdict {
  return { kind: 'rejected', failure: { reason, detail } };
}
