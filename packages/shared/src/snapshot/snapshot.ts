/**
 * The immutable picture of the mesh that decisions read: replaced whole at each push, never edited.
 * Decisions take it as a value; only `snapshot-store.ts` makes new ones.
 */
import type { IpAddress } from '../model/ip-address.ts';
import type { Authorization } from '../model/authorization.ts';
import type { PolicyKey, ServiceKey, WorkloadUid } from '../model/names.ts';
import type { Service } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';

/** A service found by a block of addresses, and how long the block's prefix is. */
export type CidrMatch = { readonly service: Service; readonly prefixLength: number };

/** What the node agent tells of a pod (section 5). */
export type PodName = { readonly namespace: string; readonly name: string; readonly serviceAccount: string };

export interface Snapshot {
  workload(uid: WorkloadUid): Workload | undefined;
  /** The preferred workload of an address: pods first, then HBONE ones; HOST_NETWORK ones are not indexed. */
  workloadByIp(network: string, ip: IpAddress): Workload | undefined;
  /** The workload of a pod handed over by the node agent. */
  workloadByPod(namespace: string, name: string, serviceAccount: string): Workload | undefined;
  /** Workloads with this DNS name, in the order they arrived; those of a DNS ServiceEntry have no address. */
  workloadsByHostname(hostname: string): readonly Workload[];
  service(key: ServiceKey): Service | undefined;
  /** All services with this exact VIP, in the order they arrived. */
  servicesByVip(network: string, ip: IpAddress): readonly Service[];
  /** All services whose CIDR VIP holds the address, longest prefix first. */
  servicesByCidr(network: string, ip: IpAddress): readonly CidrMatch[];
  /** Services of this hostname, any namespace, in the order they arrived. */
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
  /** As they were; a workload that came back in the same push under its uid is in `workloadsChanged` instead. */
  readonly workloadsRemoved: readonly Workload[];
  readonly workloadsChanged: readonly Workload[];
  /** What the changed workloads replaced: addresses and identities that may no longer exist. */
  readonly workloadsReplaced: readonly Workload[];
  readonly policiesChanged: boolean;
};
