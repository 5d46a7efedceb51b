/** Which addresses no longer mean the workload that tunnels were opened to (design decision 7). Pure. */
import type { IpAddress } from '../model/ip-address.ts';
import type { Workload } from '../model/workload.ts';
import { spiffeId } from '../identity/spiffe.ts';
import type { Snapshot, SnapshotChange } from '../snapshot/snapshot.ts';

/**
 * The addresses of removed and replaced workloads that nobody has now, or somebody else. A workload of another network that
 * has a gateway is never dialled at its own address, which here may be another's.
 */
export function staleAddresses(
  snapshot: Pick<Snapshot, 'workloadByIp'>,
  change: Pick<SnapshotChange, 'workloadsRemoved' | 'workloadsReplaced'>,
  ownNetwork: string,
): readonly IpAddress[] {
  const stale = new Set<IpAddress>();
  for (const before of [...change.workloadsRemoved, ...change.workloadsReplaced]) {
    if (before.network !== ownNetwork && before.networkGateway !== undefined) continue;
    for (const ip of before.addresses) {
      const now = snapshot.workloadByIp(before.network, ip);
      if (now === undefined || !isSamePeer(before, now)) stale.add(ip);
    }
  }
  return [...stale];
}

/**
 * Health, labels and protocol may change under a tunnel; the pod and its account may not. A pod that leaves the mesh takes no new
 * tunnels, and its own proxy lets the open ones end.
 */
function isSamePeer(before: Workload, now: Workload): boolean {
  return before.uid === now.uid && spiffeId(before) === spiffeId(now);
}
