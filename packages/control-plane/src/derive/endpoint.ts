/** A workload with what decides on its waypoint. */
import type { Workload } from '@clearmesh/shared/model/workload';
import type { Labels } from '../manifest/metadata.ts';

export type Endpoint = {
  readonly workload: Workload;
  /** Labels that may name a waypoint for its own address; absent: it never gets one. */
  readonly waypointLabels?: Labels;
};
