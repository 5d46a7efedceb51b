/** The result of a derivation. */
import type { Authorization } from '@clearmesh/shared/model/authorization';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';

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
  readonly notes: readonly Note[];
  /** When the same objects give another result, milliseconds since the epoch: the next PERMISSIVE mode to end. */
  readonly changesAtMs?: number;
};
