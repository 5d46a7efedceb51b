/** Every workload of the mesh: pods, machines of entries, endpoints of slices; in the order of these kinds. */
import { mtlsPolicyOf } from './peer-authentication.ts';
import { deriveEntryEndpoints, deriveWorkloadEntry } from './entry-workload.ts';
import { derivePodWorkload } from './pod-workload.ts';
import { deriveSliceEndpoints, namedPodKey, namedPods } from './slice-workload.ts';
import { isGatewayPod } from '../manifest/managed.ts';
import { labelsOfEntry } from '../manifest/workload-entry.ts';
import type { Collections } from '../manifest/collections.ts';
import type { Labels } from '../manifest/metadata.ts';
import type { PodManifest } from '../manifest/pod.ts';
import type { Endpoint } from './endpoint.ts';
import type { EntryHost } from './entry-host.ts';
import type { PoliciesOf } from './entry-workload.ts';
import type { Front, Fronts } from './front.ts';
import type { MtlsModes } from './mtls-mode.ts';
import type { DeriveOptions } from './options.ts';
import type { SelectorPolicies } from './policy-scope.ts';

export type WorkloadSurroundings = {
  readonly fronts: Fronts;
  readonly hosts: readonly EntryHost[];
  readonly attached: SelectorPolicies;
  readonly modes: MtlsModes;
};

export function deriveEndpoints(
  collections: Collections,
  around: WorkloadSurroundings,
  options: DeriveOptions,
): readonly Endpoint[] {
  const { fronts, hosts, attached, modes } = around;
  const policiesOf: PoliciesOf = (namespace, labels) => {
    const mtls = mtlsPolicyOf(namespace, labels, modes, options);
    return [...attached.matching(namespace, labels), ...(mtls === undefined ? [] : [mtls])].sort();
  };
  const byEntry = Map.groupBy(hosts, ({ entry }) => entry);
  return [
    ...podEndpoints(collections, fronts, policiesOf, options),
    ...collections.workloadEntries.map((entry) => {
      const selecting = fronts.selecting(entry.metadata.namespace, labelsOfEntry(entry));
      return deriveWorkloadEntry(entry, selecting, policiesOf, options);
    }),
    ...collections.serviceEntries.flatMap((entry) => {
      const [first, ...others] = byEntry.get(entry) ?? [];
      return first === undefined ? [] : deriveEntryEndpoints([first, ...others], policiesOf, options);
    }),
    ...collections.endpointSlices.flatMap((slice) => deriveSliceEndpoints(slice, fronts, options)),
  ];
}

function podEndpoints(
  { pods, nodes, endpointSlices }: Collections,
  fronts: Fronts,
  policiesOf: PoliciesOf,
  options: DeriveOptions,
): readonly Endpoint[] {
  const named = namedPods(endpointSlices, options);
  const frontsOf = ({ metadata }: PodManifest): readonly Front[] => {
    const keys = named.get(namedPodKey(metadata.namespace, metadata.name, metadata.uid)) ?? [];
    return [...fronts.selecting(metadata.namespace, metadata.labels), ...keys.flatMap((key) => fronts.find(key) ?? [])];
  };
  return pods.flatMap((pod): readonly Endpoint[] => {
    const { namespace, labels = {} } = pod.metadata;
    const around = {
      fronts: frontsOf(pod),
      node: nodes.get(pod.spec?.nodeName ?? ''),
      policies: policiesOf(namespace, labels),
    };
    const workload = derivePodWorkload(pod, around, options);
    return workload === undefined ? [] : [{ workload, ...waypointLabels(labels) }];
  });
}

/** The pods of a gateway never get a waypoint. */
function waypointLabels(labels: Labels): Pick<Endpoint, 'waypointLabels'> {
  return isGatewayPod(labels) ? {} : { waypointLabels: labels };
}
