/** Pushes as the control plane would send them, for tests. */
import type { Authorization } from '../model/authorization.ts';
import type { Service } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';
import { silentLogger } from '../observe/log.ts';
import type { DeltaPush } from '../subscribe/delta-push.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { encodeAuthorization } from '../wire/authorization.ts';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '../wire/type-urls.ts';
import { encodeService, encodeWorkload } from '../wire/wds.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

export type MeshObjects = {
  readonly workloads?: readonly Workload[];
  readonly services?: readonly Service[];
  readonly policies?: readonly Authorization[];
};

export function addressPush({ workloads = [], services = [] }: MeshObjects, removed: readonly string[] = []): DeltaPush {
  return {
    typeUrl: ADDRESS_TYPE_URL,
    removed,
    upserts: [
      ...services.map((service) => ({ name: service.key, version: '1', value: encodeService(service) })),
      ...workloads.map((workload) => ({ name: workload.uid, version: '1', value: encodeWorkload(workload) })),
    ],
  };
}

export function policyPush({ policies = [] }: MeshObjects, removed: readonly string[] = []): DeltaPush {
  const upserts = policies.map((policy) => ({ name: policy.key, version: '', value: encodeAuthorization(policy) }));
  return { typeUrl: AUTHORIZATION_TYPE_URL, removed, upserts };
}

export function storeOf(objects: MeshObjects = {}, clock: FakeClock = new FakeClock()): SnapshotStore {
  const store = new SnapshotStore({ clusterId: 'Kubernetes' }, { clock, logger: silentLogger });
  store.apply(addressPush(objects));
  store.apply(policyPush(objects));
  return store;
}

/** A snapshot that holds these objects. */
export function snapshotOf(objects: MeshObjects): Snapshot {
  return storeOf(objects).current;
}
