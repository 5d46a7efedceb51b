/** The result of a derivation. */
import type { Authorization } from '@clearmesh/shared/model/authorization';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import type { ServiceKey, WorkloadUid } from '@clearmesh/shared/model/names';
import type { AutomaticAddresses } from './automatic-address.ts';
import type { Reach } from './l7/waypoints.ts';
import type { Binding } from './waypoint-binding.ts';

/** Something the author of an object should know: it is valid, but its effect is not what a reader may expect. */
export type Note = {
  /** Kind and name of the object, such as `AuthorizationPolicy payments/allow-get`. */
  readonly object: string;
  readonly message: string;
};

export type MeshModel = {
  readonly workloads: readonly Workload[];
  readonly services: readonly Service[];
  readonly policies: readonly Authorization[];
  /** One a Gateway of ours, in the order of their names. */
  readonly waypoints: readonly WaypointConfiguration[];
  /** Of hosts that have no address of their own. */
  readonly automaticAddresses: AutomaticAddresses;
  /** `namespace/name` of the ServiceEntry behind a service; absent for those of the cluster. */
  readonly entryOf: ReadonlyMap<ServiceKey, string>;
  /** What became of labels that name a waypoint. */
  readonly bindings: Bindings;
  readonly reach: Reach;
  readonly notes: readonly Note[];
  /** When the same objects give another result, milliseconds since the epoch: a PERMISSIVE mode or an experiment ends. */
  readonly changesAtMs?: number;
};

export type Bindings = {
  readonly services: ReadonlyMap<ServiceKey, Binding>;
  readonly workloads: ReadonlyMap<WorkloadUid, Binding>;
};
