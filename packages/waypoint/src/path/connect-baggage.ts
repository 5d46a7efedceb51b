/** What an endpoint's ztunnel is told of the caller with a new connection, so that it counts by who called rather than by us. */
import type { Workload } from '@clearmesh/shared/model/workload';
import type { SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import { formatBaggage } from '@clearmesh/shared/wire/baggage';
import { remembered } from '../exchange/remembered.ts';
import type { RequestFacts } from '../exchange/request-facts.ts';

export type BaggageDeps = { readonly snapshots: SnapshotSource; readonly own: () => Workload };

/** A workload that changes is another object. */
const baggageOf = remembered((workload: Workload) => formatBaggage(workload));

export function connectBaggage({ caller }: RequestFacts, { snapshots, own }: BaggageDeps): string {
  const self = own();
  if (caller.elsewhere !== undefined) return caller.elsewhere.baggage ?? baggageOf(self);
  return baggageOf(snapshots.current.workloadByIp(self.network, caller.address.ip) ?? self);
}
