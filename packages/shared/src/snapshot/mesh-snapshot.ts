/**
 * The snapshot as indexes of persistent maps: versions share all that a push did not touch (see persistent-map.ts),
 * so that a push costs what it changes, and an old snapshot stays whole for whoever still decides by it.
 */
import type { Authorization } from '../model/authorization.ts';
import type { IpAddress } from '../model/ip-address.ts';
import type { PolicyKey, ServiceKey, WorkloadUid } from '../model/names.ts';
import type { Service } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';
import { CidrIndex } from './cidr-index.ts';
import { GroupedIndex } from './grouped-index.ts';
import { PersistentMap } from './persistent-map.ts';
import type { CidrMatch, Snapshot } from './snapshot.ts';

/** A resource with its place in the order of arrival; an update keeps the place. */
export type Held<T> = { readonly arrival: number; readonly value: T };

export type SnapshotIndexes = {
  readonly workloads: PersistentMap<Held<Workload>>;
  readonly services: PersistentMap<Held<Service>>;
  readonly policies: PersistentMap<Authorization>;
  /** By `network/ip`. */
  readonly workloadsByIp: GroupedIndex<Held<Workload>>;
  /** By `namespace/name`. */
  readonly workloadsByPod: GroupedIndex<Held<Workload>>;
  readonly workloadsByHostname: GroupedIndex<Held<Workload>>;
  /** By service key, whether or not the service is known yet: so endpoints that come first are staged (section 3.5). */
  readonly endpoints: GroupedIndex<Workload>;
  /** By `network/ip`. */
  readonly servicesByVip: GroupedIndex<Held<Service>>;
  readonly servicesByBlock: CidrIndex<Held<Service>>;
  readonly servicesByHostname: GroupedIndex<Held<Service>>;
  /** Without selector: by namespace, GLOBAL ones by "" (section 9). */
  readonly policiesByNamespace: GroupedIndex<Authorization>;
};

export function emptyIndexes(): SnapshotIndexes {
  return {
    workloads: PersistentMap.empty(),
    services: PersistentMap.empty(),
    policies: PersistentMap.empty(),
    workloadsByIp: GroupedIndex.empty(),
    workloadsByPod: GroupedIndex.empty(),
    workloadsByHostname: GroupedIndex.empty(),
    endpoints: GroupedIndex.empty(),
    servicesByVip: GroupedIndex.empty(),
    servicesByBlock: CidrIndex.empty(),
    servicesByHostname: GroupedIndex.empty(),
    policiesByNamespace: GroupedIndex.empty(),
  };
}

export class MeshSnapshot implements Snapshot {
  readonly indexes: SnapshotIndexes;
  readonly #clusterId: string;

  /** @param clusterId the own cluster, whose pods win over namesakes of another cluster */
  constructor(indexes: SnapshotIndexes, clusterId: string) {
    this.indexes = indexes;
    this.#clusterId = clusterId;
  }

  workload(uid: WorkloadUid): Workload | undefined {
    return this.indexes.workloads.get(uid)?.value;
  }

  workloadByIp(network: string, ip: IpAddress): Workload | undefined {
    return best(this.indexes.workloadsByIp.members(`${network}/${ip}`), addressRank);
  }

  workloadByPod(namespace: string, name: string, serviceAccount: string): Workload | undefined {
    const candidates = this.indexes.workloadsByPod
      .members(`${namespace}/${name}`)
      .filter(({ value }) => value.serviceAccount === serviceAccount);
    return best(candidates, (workload) => (workload.clusterId === this.#clusterId ? 4 : 0) + addressRank(workload));
  }

  workloadsByHostname(hostname: string): readonly Workload[] {
    return inOrder(this.indexes.workloadsByHostname.members(hostname));
  }

  service(key: ServiceKey): Service | undefined {
    return this.indexes.services.get(key)?.value;
  }

  servicesByVip(network: string, ip: IpAddress): readonly Service[] {
    return inOrder(this.indexes.servicesByVip.members(`${network}/${ip}`));
  }

  servicesByCidr(network: string, ip: IpAddress): readonly CidrMatch[] {
    const hits = this.indexes.servicesByBlock.lookup(network, ip);
    return hits
      .toSorted((a, b) => b.prefixLength - a.prefixLength || a.value.arrival - b.value.arrival)
      .map(({ value, prefixLength }) => ({ service: value.value, prefixLength }));
  }

  servicesByHostname(hostname: string): readonly Service[] {
    return inOrder(this.indexes.servicesByHostname.members(hostname));
  }

  endpoints(key: ServiceKey): readonly Workload[] {
    return this.indexes.endpoints.members(key);
  }

  policy(key: PolicyKey): Authorization | undefined {
    return this.indexes.policies.get(key);
  }

  policiesForNamespace(namespace: string): readonly Authorization[] {
    const global = this.indexes.policiesByNamespace.members('');
    if (namespace === '') return global;
    const own = this.indexes.policiesByNamespace.members(namespace);
    if (global.length === 0) return own;
    return own.length === 0 ? global : [...own, ...global];
  }

  get workloads(): Iterable<Workload> {
    return inOrder(this.indexes.workloads.values());
  }

  get services(): Iterable<Service> {
    return inOrder(this.indexes.services.values());
  }

  get policies(): Iterable<Authorization> {
    return this.indexes.policies.values();
  }
}

/** Section 3.5: a pod first, then one that speaks HBONE. */
function addressRank(workload: Workload): number {
  return (workload.uid.includes('//Pod/') ? 2 : 0) + (workload.tunnelProtocol === 'HBONE' ? 1 : 0);
}

/** The highest rank; among equals the latest arrival, since an address that is used again belongs to the newer pod. */
function best(candidates: readonly Held<Workload>[], rank: (workload: Workload) => number): Workload | undefined {
  let found: Held<Workload> | undefined;
  let foundRank = -1;
  for (const candidate of candidates) {
    const candidateRank = rank(candidate.value);
    if (found !== undefined && (candidateRank < foundRank || (candidateRank === foundRank && candidate.arrival < found.arrival)))
      continue;
    found = candidate;
    foundRank = candidateRank;
  }
  return found?.value;
}

function inOrder<T>(held: readonly Held<T>[]): readonly T[] {
  if (held.length === 0) return [];
  return held.toSorted((a, b) => a.arrival - b.arrival).map(({ value }) => value);
}
