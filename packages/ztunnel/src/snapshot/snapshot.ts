/**
 * The immutable picture of the mesh that decisions read: replaced whole at each push, never edited.
 * Decisions take it as a value; only `snapshot-store.ts` makes new ones.
 */
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import type { Authorization } from '@clearmesh/shared/model/authorization';
import type { PolicyKey, ServiceKey, WorkloadUid } from '@clearmesh/shared/model/names';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';

export interface Snapshot {
  workload(uid: WorkloadUid): Workload | undefined;
  /** The preferred workload of an address: pods first, then HBONE ones; HOST_NETWORK ones are not indexed. */
  workloadByIp(network: string, ip: IpAddress): Workload | undefined;
  /** The workload of a pod handed over by the node agent. */
  workloadByPod(namespace: string, name: string, serviceAccount: string): Workload | undefined;
  service(key: ServiceKey): Service | undefined;
  /** All services with this exact VIP, in the order they arrived. */
  servicesByVip(network: string, ip: IpAddress): readonly Service[];
  /** All services whose CIDR VIP holds the address. */
  servicesByCidr(network: string, ip: IpAddress): readonly Service[];
  /** Services of this hostname, any namespace. */
  servicesByHostname(hostname: string): readonly Service[];
  /** Workloads that name this service, healthy or not. */
  endpoints(key: ServiceKey): readonly Workload[];
  policy(key: PolicyKey): Authorization | undefined;
  /** Policies without selector that apply to a namespace: its own and the GLOBAL ones. */
  policiesForNamespace(namespace: string): readonly Authorization[];
  /** For dumps and the wait for a first sync. */
  readonly workloads: Iterable<Workload>;
  readonly services: Iterable<Service>;
  readonly policies: Iterable<Authorization>;
}

/** The current snapshot, and word of each new one. */
export interface SnapshotSource {
  readonly current: Snapshot;
  /** Calls back after each change; returns the unsubscriber. */
  onChange(listener: (snapshot: Snapshot, change: SnapshotChange) => void): () => void;
}

export type SnapshotChange = {
  readonly workloadsRemoved: readonly Workload[];
  readonly workloadsChanged: readonly Workload[];
  readonly policiesChanged: boolean;
};
