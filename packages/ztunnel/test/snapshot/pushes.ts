/** Pushes as the control plane would send them, for tests. */
import type { Authorization } from '@clearmesh/shared/model/authorization';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { silentLogger } from '@clearmesh/shared/observe/log';
import type { DeltaPush } from '@clearmesh/shared/subscribe/delta-push';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { encodeAuthorization } from '@clearmesh/shared/wire/authorization';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { encodeService, encodeWorkload } from '@clearmesh/shared/wire/wds';
import { SnapshotStore } from '../../src/snapshot/snapshot-store.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';

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
