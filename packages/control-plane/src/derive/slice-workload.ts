/** Endpoints of slices that no pod stands behind, such as a mainframe's (control-plane-contract section 2.3). */
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { serviceKey, sliceEndpointUid } from '@clearmesh/shared/model/names';
import type { ServiceKey } from '@clearmesh/shared/model/names';
import type { Workload } from '@clearmesh/shared/model/workload';
import { sliceServiceLabel } from '../manifest/endpoint-slice.ts';
import { slicePorts } from './endpoint-ports.ts';
import type { EndpointSliceManifest, SliceEndpoint } from '../manifest/endpoint-slice.ts';
import type { Endpoint } from './endpoint.ts';
import type { Front, Fronts } from './front.ts';
import type { DeriveOptions } from './options.ts';

/** What slices say of pods: the services that name a pod, beside those whose selector does. */
export type NamedPods = ReadonlyMap<string, readonly ServiceKey[]>;

/** By `namespace/name uid`: a pod of that name that came later is not meant. */
export function namedPodKey(namespace: string, name: string, uid: string | undefined): string {
  return `${namespace}/${name} ${uid ?? ''}`;
}

export function namedPods(slices: readonly EndpointSliceManifest[], options: DeriveOptions): NamedPods {
  const named = new Map<string, ServiceKey[]>();
  for (const slice of slices) {
    const key = serviceOf(slice, options);
    if (key === undefined) continue;
    for (const { targetRef } of slice.endpoints ?? []) {
      const { kind, name, namespace = slice.metadata.namespace, uid } = targetRef ?? {};
      // Without a uid nobody can tell which pod of that name is meant.
      if (kind !== 'Pod' || name === undefined || uid === undefined || uid === '') continue;
      const pod = namedPodKey(namespace, name, uid);
      named.set(pod, [...(named.get(pod) ?? []), key]);
    }
  }
  return named;
}

export function deriveSliceEndpoints(slice: EndpointSliceManifest, fronts: Fronts, options: DeriveOptions): readonly Endpoint[] {
  const key = serviceOf(slice, options);
  const front = key === undefined ? undefined : fronts.find(key);
  if (front === undefined || slice.addressType === 'FQDN') return [];
  const ports = new Map((slice.ports ?? []).flatMap(({ name, port }) => (port ? [[name ?? '', port] as const] : [])));
  const workloads = (slice.endpoints ?? []).flatMap((endpoint) =>
    endpoint.targetRef?.kind === 'Pod' ? [] : (workloadOf(endpoint, slice, front, ports, options) ?? []),
  );
  // Two endpoints of one address are one workload, the later one.
  return [...new Map(workloads.map((workload) => [workload.uid, { workload }])).values()];
}

function serviceOf({ metadata }: EndpointSliceManifest, { domain }: DeriveOptions): ServiceKey | undefined {
  const name = metadata.labels?.[sliceServiceLabel] ?? '';
  return name === '' ? undefined : serviceKey(metadata.namespace, `${name}.${metadata.namespace}.svc.${domain}`);
}

/** Nobody captured it, nothing is known of its identity, and its address may be a machine's. */
function workloadOf(
  { addresses = [], conditions }: SliceEndpoint,
  { metadata }: EndpointSliceManifest,
  front: Front,
  ports: ReadonlyMap<string, number>,
  options: DeriveOptions,
): Workload | undefined {
  const ips = addresses.flatMap((text) => parseIp(text) ?? []);
  const [first] = ips;
  if (first === undefined) return undefined;
  return {
    uid: sliceEndpointUid(options.clusterId, metadata.namespace, metadata.name, first),
    name: metadata.name,
    namespace: metadata.namespace,
    addresses: ips,
    hostname: '',
    network: options.network,
    tunnelProtocol: 'NONE',
    nativeTunnel: false,
    trustDomain: options.trustDomain,
    serviceAccount: '',
    node: '',
    clusterId: options.clusterId,
    canonicalName: '',
    canonicalRevision: '',
    workloadType: 'DEPLOYMENT',
    workloadName: '',
    authorizationPolicies: [],
    services: new Map([[front.key, slicePorts(ports, front)]]),
    // Unknown counts as ready, as in Kubernetes.
    status: conditions?.ready === false ? 'UNHEALTHY' : 'HEALTHY',
    locality: { region: '', zone: '', subzone: '' },
    networkMode: 'HOST_NETWORK',
    capacity: 1,
  };
}
