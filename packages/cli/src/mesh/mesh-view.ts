/**
 * The mesh as commands look at it: objects, and what the control plane and the proxies make of them. Pure; the objects come
 * from a cluster (cluster-objects.ts) or a directory (directory-objects.ts).
 */
import { derive } from '@clearmesh/control-plane/derive/derive';
import type { MeshModel } from '@clearmesh/control-plane/derive/mesh-model';
import type { DeriveOptions } from '@clearmesh/control-plane/derive/options';
import type { Collections } from '@clearmesh/control-plane/manifest/collections';
import type { PodManifest } from '@clearmesh/control-plane/manifest/pod';
import type { Condition } from '@clearmesh/control-plane/report/status-report';
import type { Problem } from '@clearmesh/shared/document/problem';
import { podUid } from '@clearmesh/shared/model/names';
import { emptyIndexes, MeshSnapshot } from '@clearmesh/shared/snapshot/mesh-snapshot';
import { SnapshotDraft } from '@clearmesh/shared/snapshot/snapshot-draft';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';

/** What was read of a mesh. */
export type MeshObjects = {
  /** For headings: `cluster <context>` or `directory <path>`. */
  readonly origin: string;
  readonly collections: Collections;
  /** As the control plane is told by its flags. */
  readonly options: DeriveOptions;
  /** Objects, or parts of them, that are not in force. */
  readonly problems: readonly Problem[];
  /** Conditions by `Kind namespace/name`, as they stand in the objects or as they would. */
  readonly conditions: ReadonlyMap<string, readonly Condition[]>;
  /** What could not be read, and what is assumed instead. */
  readonly remarks: readonly string[];
};

export type MeshView = MeshObjects & {
  readonly model: MeshModel;
  /** As every proxy has it. */
  readonly snapshot: Snapshot;
  /** By the uid of their workloads. */
  readonly pods: ReadonlyMap<string, PodManifest>;
  readonly nowMs: number;
};

export function meshView(objects: MeshObjects, nowMs: number): MeshView {
  const { collections, options } = objects;
  const model = derive(collections, options, nowMs);
  const uidOf = ({ metadata }: PodManifest): string => podUid(options.clusterId, metadata.namespace, metadata.name);
  const pods = new Map(collections.pods.map((pod) => [uidOf(pod), pod]));
  return { ...objects, model, snapshot: snapshotOf(model, options.clusterId), pods, nowMs };
}

function snapshotOf({ workloads, services, policies }: MeshModel, clusterId: string): Snapshot {
  let arrivals = 0;
  const draft = new SnapshotDraft(emptyIndexes(), () => ++arrivals);
  for (const workload of workloads) draft.putWorkload(workload);
  for (const service of services) draft.putService(service);
  for (const policy of policies) draft.putPolicy(policy);
  return new MeshSnapshot(draft.finish()?.indexes ?? emptyIndexes(), clusterId);
}
