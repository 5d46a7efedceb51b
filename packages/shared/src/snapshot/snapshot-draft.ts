/**
 * One push on its way to the next snapshot: edits of all indexes, and a record of what changed.
 * Every index entry of a resource is derived from the resource itself, so that taking the old version out and putting
 * the new one in is all there is to an update.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Authorization } from '../model/authorization.ts';
import type { Service } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';
import { isServiceBlock } from './cidr-index.ts';
import type { SnapshotIndexes } from './mesh-snapshot.ts';
import type { SnapshotChange } from './snapshot.ts';

/** One open edit for each index. */
type Edits = { readonly [Index in keyof SnapshotIndexes]: ReturnType<SnapshotIndexes[Index]['edit']> };

export class SnapshotDraft {
  readonly #edits: Edits;
  readonly #nextArrival: () => number;
  readonly #before = new Map<string, Workload | undefined>();
  readonly #baseWorkloads: SnapshotIndexes['workloads'];
  #servicesChanged = false;
  #policiesChanged = false;

  /** @param nextArrival a number greater than any given before */
  constructor(base: SnapshotIndexes, nextArrival: () => number) {
    this.#baseWorkloads = base.workloads;
    this.#nextArrival = nextArrival;
    this.#edits = {
      workloads: base.workloads.edit(),
      services: base.services.edit(),
      policies: base.policies.edit(),
      workloadsByIp: base.workloadsByIp.edit(),
      workloadsByPod: base.workloadsByPod.edit(),
      workloadsByHostname: base.workloadsByHostname.edit(),
      endpoints: base.endpoints.edit(),
      servicesByVip: base.servicesByVip.edit(),
      servicesByBlock: base.servicesByBlock.edit(),
      servicesByHostname: base.servicesByHostname.edit(),
      policiesByNamespace: base.policiesByNamespace.edit(),
    };
  }

  /** Adds a workload or replaces the one of its uid. */
  putWorkload(workload: Workload): void {
    const old = this.#edits.workloads.get(workload.uid);
    if (old !== undefined) this.#unindexWorkload(old.value);
    this.#remember(workload.uid);
    const held = { arrival: old?.arrival ?? this.#nextArrival(), value: workload };
    const { uid } = workload;
    this.#edits.workloads.set(uid, held);
    for (const address of indexedAddresses(workload)) this.#edits.workloadsByIp.set(address, uid, held);
    this.#edits.workloadsByPod.set(podOf(workload), uid, held);
    if (workload.hostname !== '') this.#edits.workloadsByHostname.set(workload.hostname, uid, held);
    for (const key of workload.services.keys()) this.#edits.endpoints.set(key, uid, workload);
  }

  /** Adds a service or replaces the one of its key; its endpoints stay (section 3.5). */
  putService(service: Service): void {
    const old = this.#edits.services.get(service.key);
    if (old !== undefined) this.#unindexService(old.value);
    const held = { arrival: old?.arrival ?? this.#nextArrival(), value: service };
    this.#edits.services.set(service.key, held);
    for (const address of service.addresses) {
      if (isServiceBlock(address)) this.#edits.servicesByBlock.set(address, service.key, held);
      else this.#edits.servicesByVip.set(`${address.network}/${address.ip}`, service.key, held);
    }
    this.#edits.servicesByHostname.set(service.hostname, service.key, held);
    this.#servicesChanged = true;
  }

  /** Adds a policy or replaces the one of its key. Policies are resent at each reconnect, so an equal one is no change. */
  putPolicy(policy: Authorization): void {
    const old = this.#edits.policies.get(policy.key);
    if (old !== undefined && isDeepStrictEqual(old, policy)) return;
    if (old !== undefined) this.#unindexPolicy(old);
    this.#edits.policies.set(policy.key, policy);
    const group = groupOf(policy);
    if (group !== undefined) this.#edits.policiesByNamespace.set(group, policy.key, policy);
    this.#policiesChanged = true;
  }

  hasPolicy(name: string): boolean {
    return this.#edits.policies.get(name) !== undefined;
  }

  /** Removes a workload by uid, else a service by `namespace/hostname` (section 3.2); false when neither is known. */
  removeAddress(name: string): boolean {
    const workload = this.#edits.workloads.get(name);
    if (workload !== undefined) {
      this.#remember(name);
      this.#unindexWorkload(workload.value);
      return this.#edits.workloads.delete(name);
    }
    const service = this.#edits.services.get(name);
    if (service === undefined) return false;
    this.#unindexService(service.value);
    this.#servicesChanged = true;
    return this.#edits.services.delete(name);
  }

  /** Removes a policy by `namespace/name`; false when it is not known. */
  removePolicy(name: string): boolean {
    const policy = this.#edits.policies.get(name);
    if (policy === undefined) return false;
    this.#unindexPolicy(policy);
    this.#policiesChanged = true;
    return this.#edits.policies.delete(name);
  }

  /** The next indexes, or `undefined` when nothing changed. The draft is spent. */
  finish(): { readonly indexes: SnapshotIndexes; readonly change: SnapshotChange } | undefined {
    if (this.#before.size === 0 && !this.#servicesChanged && !this.#policiesChanged) return undefined;
    const edits = this.#edits;
    const indexes: SnapshotIndexes = {
      workloads: edits.workloads.done(),
      services: edits.services.done(),
      policies: edits.policies.done(),
      workloadsByIp: edits.workloadsByIp.done(),
      workloadsByPod: edits.workloadsByPod.done(),
      workloadsByHostname: edits.workloadsByHostname.done(),
      endpoints: edits.endpoints.done(),
      servicesByVip: edits.servicesByVip.done(),
      servicesByBlock: edits.servicesByBlock.done(),
      servicesByHostname: edits.servicesByHostname.done(),
      policiesByNamespace: edits.policiesByNamespace.done(),
    };
    return { indexes, change: this.#change(indexes.workloads) };
  }

  #change(after: SnapshotIndexes['workloads']): SnapshotChange {
    const [workloadsRemoved, workloadsChanged, workloadsReplaced]: [Workload[], Workload[], Workload[]] = [[], [], []];
    for (const [uid, before] of this.#before) {
      const now = after.get(uid)?.value;
      if (now !== undefined) workloadsChanged.push(now);
      if (before !== undefined) (now === undefined ? workloadsRemoved : workloadsReplaced).push(before);
    }
    return { workloadsRemoved, workloadsChanged, workloadsReplaced, policiesChanged: this.#policiesChanged };
  }

  #remember(uid: string): void {
    if (!this.#before.has(uid)) this.#before.set(uid, this.#baseWorkloads.get(uid)?.value);
  }

  #unindexWorkload(workload: Workload): void {
    for (const address of indexedAddresses(workload)) this.#edits.workloadsByIp.delete(address, workload.uid);
    this.#edits.workloadsByPod.delete(podOf(workload), workload.uid);
    if (workload.hostname !== '') this.#edits.workloadsByHostname.delete(workload.hostname, workload.uid);
    for (const key of workload.services.keys()) this.#edits.endpoints.delete(key, workload.uid);
  }

  #unindexService(service: Service): void {
    for (const address of service.addresses) {
      if (isServiceBlock(address)) this.#edits.servicesByBlock.delete(address, service.key);
      else this.#edits.servicesByVip.delete(`${address.network}/${address.ip}`, service.key);
    }
    this.#edits.servicesByHostname.delete(service.hostname, service.key);
  }

  #unindexPolicy(policy: Authorization): void {
    const group = groupOf(policy);
    if (group !== undefined) this.#edits.policiesByNamespace.delete(group, policy.key);
  }
}

/** Section 3.5: pods on the host's network share its addresses, so an address says nothing about them. */
function indexedAddresses(workload: Workload): readonly string[] {
  return workload.networkMode === 'HOST_NETWORK' ? [] : workload.addresses.map((ip) => `${workload.network}/${ip}`);
}

function podOf(workload: Workload): string {
  return `${workload.namespace}/${workload.name}`;
}

/** Where a policy without selector applies: a namespace, or "" for all of them. */
function groupOf(policy: Authorization): string | undefined {
  switch (policy.scope) {
    case 'GLOBAL':
      return '';
    case 'NAMESPACE':
      return policy.namespace;
    case 'WORKLOAD_SELECTOR':
      return undefined;
  }
}
