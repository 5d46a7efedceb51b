import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { identityParts } from '@clearmesh/shared/identity/spiffe';
import { podUid } from '@clearmesh/shared/model/names';
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
  const unknown: Workload = {
    uid,
    name: podName,
    namespace: gateway.namespace,
    addresses: [instanceIp],
    hostname: '',
    network,
    tunnelProtocol: 'HBONE',
    nativeTunnel: true,
    trustDomain,
    serviceAccount,
    node: '',
    clusterId,
    canonicalName: gateway.name,
    canonicalRevision: 'latest',
    workloadType: 'POD',
    workloadName: gateway.name,
    authorizationPolicies: [],
    services: new Map(),
    status: 'HEALTHY',
    locality: { region: '', zone: '', subzone: '' },
    networkMode: 'STANDARD',
    capacity: 1,
  };
  return () => snapshots.current.workload(uid) ?? unknown;
}
