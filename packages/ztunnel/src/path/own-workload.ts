/** The workload of the pod that a connection belongs to. */
import type { Workload } from '@clearmesh/shared/model/workload';
import type { PodName, SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import type { DenialReason } from './connection-cut.ts';
import { Refusal } from './refusal.ts';

/** The mesh as a pod's connections see it. */
export interface WorkloadSource extends SnapshotSource {
  /** The pod's own workload, now or as soon as it is known; `undefined` when that takes longer than 5 s. */
  awaitWorkload(pod: PodName, signal: AbortSignal): Promise<Workload | undefined>;
  /** The same, but as soon as the policies it lists are known too; without them after 5 s, and policy then refuses. */
  awaitGuardedWorkload(pod: PodName, signal: AbortSignal): Promise<Workload | undefined>;
}

/** Fails closed: nobody may speak for a workload the control plane does not know (l4-contract sections 7 and 8). */
export async function ownWorkload(
  snapshots: WorkloadSource,
  pod: PodName,
  reason: Extract<DenialReason, 'unknown-source' | 'unknown-workload'>,
  signal: AbortSignal,
): Promise<Workload> {
  return (await snapshots.awaitWorkload(pod, signal)) ?? refuse(pod, reason);
}

/** {@link ownWorkload} for somebody who wants in: the mesh may bring a workload before the policies that guard it. */
export async function guardedWorkload(snapshots: WorkloadSource, pod: PodName, signal: AbortSignal): Promise<Workload> {
  return (await snapshots.awaitGuardedWorkload(pod, signal)) ?? refuse(pod, 'unknown-workload');
}

function refuse({ namespace, name, serviceAccount }: PodName, reason: DenialReason): never {
  throw new Refusal({
    reason,
    message: `failed to fetch information about local workload: ${serviceAccount}.${namespace} (${name}); see whether the control plane knows this pod`,
  });
}
