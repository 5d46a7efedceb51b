/** Where the gauges of a data plane read. */
import type { Backends } from '../../forward/backends.ts';
import type { AccessLog } from '../access/access-log.ts';
import type { Tracing } from '../tracing/start-tracing.ts';
import { registerWaypointGauges } from './waypoint-gauges.ts';
import type { WaypointMetrics } from './waypoint-metrics.ts';

export type GaugeOwners = { readonly backends: Backends; readonly tracing: Tracing; readonly accessLog: AccessLog };

export function registerGauges({ registry }: WaypointMetrics, { backends, tracing, accessLog }: GaugeOwners): void {
  registerWaypointGauges(
    {
      breakers: () => backends.status().flatMap(({ backend, breakers }) => breakers.map(({ state }) => ({ backend, state }))),
      ejected: () => backends.status().map(({ backend, ejected }) => ({ service: backend, endpoints: ejected })),
      active: () => backends.status().map(({ backend, active }) => ({ backend, requests: active })),
      spans: () => tracing.counts,
      accessLines: () => accessLog.counts,
    },
    { registry },
  );
}
