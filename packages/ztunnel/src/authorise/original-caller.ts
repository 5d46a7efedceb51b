/**
 * On whose behalf a peer says it asks, and whether that is believed (design decision 3). Pure. A peer that says nothing
 * asks for itself.
 *
 *   from the destination's waypoint ─ believed: policy sees the caller | malformed: the waypoint is broken, 400
 *   from anybody else ─────────────── ignored: policy sees the peer
 *
 * Only a waypoint that the destination workload or one of its services is bound to can speak for others, and only by
 * the identity that mTLS proved. It can name callers of its own trust domain only, the ones this mesh verifies.
 */
import { identityParts } from '@clearmesh/shared/identity/spiffe';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import { originalCallerHeader, parseOriginalCaller } from '@clearmesh/shared/wire/original-caller';
import { bindingsOf, comesFrom } from './waypoint-traversal.ts';

export type OriginalCaller =
  | { readonly kind: 'believed'; readonly caller: SpiffeId }
  | { readonly kind: 'ignored' }
  | { readonly kind: 'malformed'; readonly detail: string };

const ignored: OriginalCaller = { kind: 'ignored' };

export type CallerClaim = {
  /** The header as it came. */
  readonly header: string;
  /** Proven by mTLS. */
  readonly peer: SpiffeId;
  readonly workload: Workload;
};

/** Whom the peer speaks for. A waypoint of any of the workload's services may speak at each of its ports. */
export function originalCaller({ header, peer, workload }: CallerClaim, snapshot: Snapshot): OriginalCaller {
  if (!comesFrom(bindingsOf(workload, snapshot), peer, snapshot)) return ignored;
  const caller = parseOriginalCaller(header);
  if (caller === undefined) {
    return malformed(`${originalCallerHeader} of ${peer} is no SPIFFE id: ${JSON.stringify(header.slice(0, 200))}`);
  }
  // Policies on namespaces and accounts do not look at the trust domain, since a handshake proves the own one.
  return identityParts(caller).trustDomain === workload.trustDomain
    ? { kind: 'believed', caller }
    : malformed(`${originalCallerHeader} of ${peer} names ${caller}, and callers are of trust domain ${workload.trustDomain}`);
}

function malformed(detail: string): OriginalCaller {
  return { kind: 'malformed', detail };
}
