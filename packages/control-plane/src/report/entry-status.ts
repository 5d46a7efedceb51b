/** Status of entries for what is outside of Kubernetes (control-plane-contract section 1.4). */
import { serviceKey, workloadEntryUid } from '@clearmesh/shared/model/names';
import { visibilityOf } from '../derive/entry-host.ts';
import { useWaypointLabel } from '../derive/waypoint-reference.ts';
import { objectName } from '../manifest/collections.ts';
import { labelsOfEntry } from '../manifest/workload-entry.ts';
import { endpointChoiceRefused, waypointBound } from './service-status.ts';
import { condition } from './status-report.ts';
import type { MeshModel } from '../derive/mesh-model.ts';
import type { DeriveOptions } from '../derive/options.ts';
import type { Binding } from '../derive/waypoint-binding.ts';
import type { ServiceEntryManifest } from '../manifest/service-entry.ts';
import type { WorkloadEntryManifest } from '../manifest/workload-entry.ts';
import type { Condition, ObjectStatus } from './status-report.ts';

/** Whether the Gateway of that name is a waypoint. */
export type IsWaypoint = (gateway: string) => boolean;

export function serviceEntryStatus(entry: ServiceEntryManifest, model: MeshModel, isWaypoint: IsWaypoint): ObjectStatus {
  const binding = bindingOfEntry(entry, model);
  const conditions = [
    ...(binding === undefined ? missingWaypoint(entry) : [waypointBound(binding, isWaypoint(binding.gateway))]),
    ...visibility(entry),
    ...endpointChoiceRefused(entry),
  ];
  const addresses = model.automaticAddresses.get(objectName(entry.metadata)) ?? [];
  return { conditions, addresses };
}

/** All hosts of an entry are bound alike; one that is another object's service has that one's binding. */
export function bindingOfEntry({ metadata, spec }: ServiceEntryManifest, { entryOf, bindings }: MeshModel): Binding | undefined {
  const keys = spec.hosts.map((host) => serviceKey(metadata.namespace, host));
  const ours = keys.find((key) => entryOf.get(key) === objectName(metadata));
  return ours === undefined ? undefined : bindings.services.get(ours);
}

/** `undefined` when nothing is to be said: an inherited waypoint that is for services alone is not meant for machines. */
export function workloadEntryStatus(
  entry: WorkloadEntryManifest,
  { bindings }: MeshModel,
  isWaypoint: IsWaypoint,
  options: DeriveOptions,
): ObjectStatus | undefined {
  const { namespace, name } = entry.metadata;
  const binding = bindings.workloads.get(workloadEntryUid(options.clusterId, namespace, name));
  if (binding === undefined || isSilent(entry, binding)) return undefined;
  return { conditions: [waypointBound(binding, isWaypoint(binding.gateway), 'workload')] };
}

function isSilent(entry: WorkloadEntryManifest, { reason }: Binding): boolean {
  return reason === 'UnsupportedTrafficType' && (labelsOfEntry(entry)[useWaypointLabel] ?? '') === '';
}

/** A node proxy knows addresses, not names: only a waypoint can tell the hosts below a wildcard from each other. */
function missingWaypoint({ spec }: ServiceEntryManifest): readonly Condition[] {
  const wildcard = spec.hosts.find((host) => host.startsWith('*'));
  if (wildcard === undefined) return [];
  const message = `${wildcard} needs a waypoint (label ${useWaypointLabel}) that tells its hosts from each other by name`;
  return [condition('istio.io/WaypointMissing', 'True', 'NoWaypointForWildcardService', message)];
}

/** Said of entries that ask for it. */
function visibility(entry: ServiceEntryManifest): readonly Condition[] {
  const { exportTo = [] } = entry.spec;
  if (exportTo.length === 0) return [];
  switch (visibilityOf(entry)) {
    case 'NAMESPACE':
      return [visible('Namespace', 'its hosts are known in its own namespace alone')];
    case 'NONE':
      return [visible('None', 'its hosts are known nowhere')];
    case 'PUBLIC': {
      const listed = exportTo.includes('*') ? '' : '; a list of other namespaces is not supported';
      return [visible('Public', `its hosts are known in every namespace${listed}`)];
    }
  }
}

function visible(reason: string, message: string): Condition {
  return condition('istio.io/VisibilityApplied', 'True', reason, message);
}
