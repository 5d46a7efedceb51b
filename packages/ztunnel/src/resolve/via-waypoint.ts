/**
 * The way to a workload of a waypoint (l4-contract section 7, steps 3 and 6).
 *
 * W1  There is no way around: whatever is missing refuses the connection (design decision 1).
 * W2  Another try stays with the waypoint that was drawn, so that the weights of a canary hold.
 */
import { ipFamily } from '@clearmesh/shared/model/ip-address';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { EndpointPreference } from '@clearmesh/shared/resolve/endpoint';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import { refuse } from './route.ts';
import type { Captured, LookupRoute, NestedRoute, RefusedRoute, RouteFacts, TunnelRoute } from './route.ts';
import { acceptedPeers } from './upstream.ts';
import { viaNetworkGateway } from './via-network-gateway.ts';
import { resolveGateway } from './waypoint.ts';

export type WaypointContext = EndpointPreference & {
  readonly captured: Captured;
  readonly snapshot: Snapshot;
  readonly random: Random;
};

/** To the waypoint with the untranslated destination as authority (section 2.1). `facts` keep the service asked for. */
export function viaWaypoint(
  { captured, ...context }: WaypointContext,
  gateway: GatewayAddress,
  facts: RouteFacts,
): TunnelRoute | NestedRoute | LookupRoute | RefusedRoute {
  const { source, originalDestination: authority } = captured;
  const found = resolveGateway({ source, ...context }, gateway, authority.ip);
  if (found.kind === 'unavailable') return refuse('waypoint-unavailable', found.detail, facts);
  const { workload, targetPort, reach, service: gatewayService } = found.upstream;
  const destination = { ...facts, destination: workload };
  if (workload.network !== source.network || reach.kind === 'gateway') {
    const far = { workload, innerPeers: gatewayService?.subjectAltNames ?? [], via: 'waypoint', gateway } as const;
    return viaNetworkGateway({ captured, ...context }, far, destination);
  }
  const through = { authority, acceptedPeers: acceptedPeers(workload, gatewayService), via: 'waypoint', gateway } as const;
  if (reach.kind === 'hostname') {
    const next = { kind: 'tunnel', peerPort: targetPort, ...through } as const;
    return { kind: 'lookup', hostname: reach.hostname, prefer: ipFamily(authority.ip), next, ...destination };
  }
  return { kind: 'tunnel', peer: { ip: reach.ip, port: targetPort }, ...through, ...destination };
}

/** The same way by another workload of the same waypoint; `undefined` for a direct tunnel, and when there is none left. */
export function anotherWaypoint(
  route: TunnelRoute | NestedRoute,
  context: WaypointContext,
): TunnelRoute | NestedRoute | LookupRoute | undefined {
  if (route.gateway === undefined) return undefined;
  const { service } = route;
  const next = viaWaypoint(context, route.gateway, service === undefined ? {} : { service });
  return next.kind === 'refused' ? undefined : next;
}
