/** What an endpoint's ztunnel is told of the caller with a new connection, so that it counts by who called rather than by us. */
import type { Workload } from '@clearmesh/shared/model/workload';
import type { SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import { formatBaggage } from '@clearmesh/shared/wire/baggage';
import type { RequestFacts } from '../exchange/request-facts.ts';

export type BaggageDeps = { readonly snapshots: SnapshotSource; readonly own: () => Workload };

export function connectBaggage({ caller }: RequestFacts, { snapshots, own }: BaggageDeps): string {
  const self = own();
  if (caller.elsewhere !== undefined) return caller.elsewhere.baggage ?? formatBaggage(self);
  return formatBaggage(snapshots.current.workloadByIp(self.network, caller.address.ip) ?? self);
}
