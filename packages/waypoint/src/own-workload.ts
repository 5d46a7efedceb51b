import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { identityParts } from '@clearmesh/shared/identity/spiffe';
import { podUid } from '@clearmesh/shared/model/names';
import { sparseWorkload } from '@clearmesh/shared/model/sparse-workload';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import type { WaypointConfig } from './config.ts';

export type OwnPod = Pick<WaypointConfig, 'clusterId' | 'gateway' | 'podName' | 'network' | 'trustDomain' | 'instanceIp'>;

/** As the control plane knows this pod; until it does, what the process knows of itself. */
export function ownWorkload(
  pod: OwnPod,
  { snapshots, identity }: { readonly snapshots: SnapshotSource; readonly identity: SpiffeId },
): () => Workload {
  const { clusterId, gateway, podName, network, trustDomain, instanceIp } = pod;
  const uid = podUid(clusterId, gateway.namespace, podName);
  const { serviceAccount } = identityParts(identity);
  const unknown = sparseWorkload({
    uid,
    name: podName,
    namespace: gateway.namespace,
    addresses: [instanceIp],
    network,
    nativeTunnel: true,
    trustDomain,
    serviceAccount,
    clusterId,
    canonicalName: gateway.name,
    workloadName: gateway.name,
  });
  return () => snapshots.current.workload(uid) ?? unknown;
}
