/**
 * What peers of one pod say of on whose behalf they ask, while the mesh may be changing.
 *
 *   said by the pod's waypoint ──▶ believed, or 400
 *   said by anybody else ─▶ wait for the mesh to say that it is the pod's waypoint ─┬─▶ as above
 *                                                                                   ├─ it was one before ─▶ 421
 *                                                                                   └─▶ ignored, counted
 *
 * K1  A waypoint's callers may have heard of it before this proxy did. Its CONNECT waits, since to pass over whom it
 *     speaks for would let policy see the waypoint instead. A peer that only says so gains a delay.
 * K2  After a wait nothing holds that was known before: workload, target and caller are found anew.
 * K3  A waypoint that is none any more still brings callers that have not heard of it. They are not let in as the
 *     waypoint itself: 421 sends it, and so them, back to what the mesh says now.
 */
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { PodName, Snapshot, SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import { originalCaller } from '../authorise/original-caller.ts';
import type { CallerClaim, OriginalCaller } from '../authorise/original-caller.ts';
import { bindingsOf, comesFrom, requiredAt } from '../authorise/waypoint-traversal.ts';
import type { IgnoredCallers } from './ignored-callers.ts';
import { Refusal, badRequest } from './refusal.ts';
import type { SnapshotWaits } from '@clearmesh/shared/snapshot/snapshot-waits';

export type CallerClaimsOptions = {
  readonly pod: PodName;
  /** Waypoints of the pod that are remembered as such; the oldest is forgotten first. @default 16 */
  readonly maxRemembered?: number;
};

export type CallerClaimsDeps = {
  readonly snapshots: SnapshotSource;
  readonly waits: SnapshotWaits;
  readonly ignoredCallers: IgnoredCallers;
};

/** One for each pod. */
export class CallerClaims {
  readonly #pod: PodName;
  readonly #maxRemembered: number;
  readonly #deps: CallerClaimsDeps;
  /** Peers that came as the pod's waypoint. */
  readonly #waypoints = new Set<SpiffeId>();

  constructor(options: CallerClaimsOptions, deps: CallerClaimsDeps) {
    this.#pod = options.pod;
    this.#maxRemembered = options.maxRemembered ?? 16;
    this.#deps = deps;
  }

  /** What is known of it now. */
  recvClaim(claim: CallerClaim): OriginalCaller {
    const found = originalCaller(claim, this.#deps.snapshots.current);
    if (found.kind === 'believed') this.#remember(claim.peer);
    return found;
  }

  /** Ends as soon as the peer is the pod's waypoint, or when it is in vain to wait longer (K1). */
  async awaitWaypoint(peer: SpiffeId, signal: AbortSignal): Promise<void> {
    await this.#deps.waits.until((snapshot) => this.#isWaypoint(peer, snapshot) || undefined, signal);
  }

  /** Whom policy shall see instead of the peer, for good. @param port of the target */
  settle(found: OriginalCaller, claim: CallerClaim, port: number): SpiffeId | undefined {
    switch (found.kind) {
      case 'believed':
        return found.caller;
      case 'ignored':
        if (this.#isFormer(claim, port)) throw formerWaypoint(claim);
        this.#deps.ignoredCallers.recvIgnored(claim.peer, claim.header, claim.workload);
        return undefined;
      case 'malformed':
        throw badRequest(found.detail);
      default:
        return unreachable(found);
    }
  }

  #isWaypoint(peer: SpiffeId, snapshot: Snapshot): boolean {
    const { namespace, name, serviceAccount } = this.#pod;
    const workload = snapshot.workloadByPod(namespace, name, serviceAccount);
    return workload !== undefined && comesFrom(bindingsOf(workload, snapshot), peer, snapshot);
  }

  /** K3. Where another waypoint is required, the refusal comes from policy and names that one. */
  #isFormer({ peer, workload }: CallerClaim, port: number): boolean {
    return this.#waypoints.has(peer) && requiredAt(workload, port, this.#deps.snapshots.current).length === 0;
  }

  #remember(peer: SpiffeId): void {
    if (this.#waypoints.has(peer)) return;
    const [oldest] = this.#waypoints;
    if (oldest !== undefined && this.#waypoints.size >= this.#maxRemembered) this.#waypoints.delete(oldest);
    this.#waypoints.add(peer);
  }
}

function formerWaypoint({ peer, workload }: CallerClaim): Refusal {
  return new Refusal({
    reason: 'former-waypoint',
    message: `${peer} speaks for another, and is no longer a waypoint of ${spiffeId(workload)}`,
    status: 421,
    flag: 'DENY',
  });
}
