/** Pod to Workload (control-plane-contract section 2.3). */
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { podUid } from '@clearmesh/shared/model/names';
import type { PolicyKey } from '@clearmesh/shared/model/names';
import type { Locality, Workload } from '@clearmesh/shared/model/workload';
import { isFinished, podAddresses, serviceAccountOf } from '../manifest/pod.ts';
import { canonicalOf } from './canonical.ts';
import { podPorts } from './endpoint-ports.ts';
import { tunnelOf } from './tunnel.ts';
import { workloadName } from './workload-name.ts';
import type { NodeManifest } from '../manifest/node.ts';
import type { PodManifest } from '../manifest/pod.ts';
import type { Front } from './front.ts';
import type { DeriveOptions } from './options.ts';

/** What a pod's workload takes from other objects. */
export type PodSurroundings = {
  /** What it stands behind. */
  readonly fronts: readonly Front[];
  readonly node: NodeManifest | undefined;
  /** Sorted. */
  readonly policies: readonly PolicyKey[];
};

/** The workload, or `undefined` while the pod has no address or after it ended. */
export function derivePodWorkload(pod: PodManifest, around: PodSurroundings, options: DeriveOptions): Workload | undefined {
  const addresses = podAddresses(pod).flatMap((text) => parseIp(text) ?? []);
  if (addresses.length === 0 || isFinished(pod)) return undefined;
  const { name, namespace, labels } = pod.metadata;
  const owner = workloadName(pod);
  const canonical = canonicalOf(labels, owner);
  return {
    uid: podUid(options.clusterId, namespace, name),
    name,
    namespace,
    addresses,
    hostname: '',
    network: options.network,
    ...tunnelOf(labels, pod.metadata.annotations),
    trustDomain: options.trustDomain,
    serviceAccount: serviceAccountOf(pod),
    node: pod.spec?.nodeName ?? '',
    clusterId: options.clusterId,
    canonicalName: canonical.name,
    canonicalRevision: canonical.revision,
    workloadType: 'POD',
    workloadName: owner,
    authorizationPolicies: around.policies,
    services: new Map(around.fronts.map((front) => [front.key, podPorts(pod, front)])),
    status: isHealthy(pod) ? 'HEALTHY' : 'UNHEALTHY',
    locality: localityOf(around.node),
    networkMode: pod.spec?.hostNetwork === true ? 'HOST_NETWORK' : 'STANDARD',
    capacity: 1,
  };
}

function isHealthy(pod: PodManifest): boolean {
  const ready = pod.status?.conditions?.find((condition) => condition.type === 'Ready');
  return ready?.status === 'True' && pod.metadata.deletionTimestamp === undefined;
}

function localityOf(node: NodeManifest | undefined): Locality {
  const labels = node?.metadata.labels ?? {};
  return {
    region: labels['topology.kubernetes.io/region'] ?? '',
    zone: labels['topology.kubernetes.io/zone'] ?? '',
    subzone: labels['topology.istio.io/subzone'] ?? '',
  };
}
