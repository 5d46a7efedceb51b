/**
 * Another endpoint for a connection that the first one did not take, where its service asks for that
 * (`clearmesh.io/connect-attempts`). Pure.
 *
 * A1  Endpoints of the same service only, chosen as a new connection would be, and none twice. A waypoint has replacements of
 *     its own (via-waypoint.ts), and what was addressed as a workload is that workload.
 * A2  A service that requires a waypoint by now has no other endpoint: a new connection finds the waypoint.
 */
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import type { EndpointPreference } from '@clearmesh/shared/resolve/endpoint';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import { resolveOutbound } from './outbound.ts';
import type { Captured, LookupRoute, NestedRoute, PassthroughRoute, Route, TunnelRoute } from './route.ts';

/** @param tried workloads tried so far, that of `failed` among them */
export function anotherEndpoint(
  failed: TunnelRoute | NestedRoute | PassthroughRoute,
  captured: Captured,
  snapshot: Snapshot,
  random: Random,
  { exclude: tried = none, loadOf }: EndpointPreference,
): TunnelRoute | NestedRoute | PassthroughRoute | LookupRoute | undefined {
  const { service } = failed;
  if (service === undefined || tried.size >= (service.endpointChoice?.connectAttempts ?? 1)) return undefined;
  const route = resolveOutbound(captured, snapshot, random, { exclude: tried, loadOf });
  if (!isEndpoint(route) || route.service?.key !== service.key) return undefined;
  return route.destination !== undefined && !tried.has(route.destination.uid) ? route : undefined;
}

/** Whether the route leads to an endpoint that was drawn for the application itself. */
export function isEndpoint(route: Route): route is TunnelRoute | NestedRoute | PassthroughRoute | LookupRoute {
  if (route.service === undefined || route.destination === undefined || route.kind === 'refused') return false;
  const way = route.kind === 'lookup' ? route.next : route;
  return way.kind === 'passthrough' || way.via === 'direct';
}

const none: ReadonlySet<WorkloadUid> = new Set();
