/** What an operator may look at while the waypoint runs: three things that are easily confused, apart. */
import type { AdminDeps } from './admin/admin-server.ts';
import type { Json } from '@clearmesh/shared/admin/json-answer';
import type { BackendStatus } from './forward/dispatch.ts';
import type { Backends } from './forward/backends.ts';
import type { WaypointPlan } from './path/service-plan.ts';
import type { WaypointStore } from './snapshot/waypoint-store.ts';

export type OperatorView = Pick<AdminDeps, 'configuration' | 'rejected' | 'status'>;

export function operatorView(sources: {
  readonly store: WaypointStore<WaypointPlan>;
  readonly backends: Backends;
}): OperatorView {
  const { store, backends } = sources;
  return {
    configuration: () =>
      store.acceptedAtMs === undefined
        ? undefined
        : { revision: store.revision, acceptedAtMs: store.acceptedAtMs, configuration: store.current.configuration },
    rejected: () => store.rejected,
    status: {
      breakers: () => byBackend(backends, ({ breakers }) => breakers),
      outliers: () => byBackend(backends, ({ ejected, endpoints }) => ({ ejected, endpoints })),
      limits: () =>
        byBackend(backends, ({ active, retries, connections, pending, upgraded }) => ({
          requests: active,
          retries,
          connections,
          pending,
          upgraded,
        })),
    },
  };
}

function byBackend(backends: Backends, part: (status: BackendStatus) => unknown): Json {
  // Whatever an owner tells of itself is data.
  return JSON.parse(
    JSON.stringify(Object.fromEntries(backends.status().map((status) => [status.backend, part(status)]))),
  ) as Json;
}
