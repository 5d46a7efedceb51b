/**
 * Where a captured connection goes (l4-contract section 7), decided from facts and a snapshot alone.
 *
 *   self call ─▶ refused
 *   service with a waypoint ─▶ tunnel to the waypoint | refused (never around it)
 *   nothing known there, or PASSTHROUGH ─▶ plain TCP
 *   service without endpoint ─▶ refused
 *   workload with a waypoint, addressed directly ─▶ tunnel to the waypoint | refused
 *   workload of another network ─▶ two tunnels, by its gateway | the same by another gateway | refused
 *   HBONE workload ─▶ tunnel to it; any other ─▶ plain TCP to it
 *
 * O1  Everything that cannot be decided closes the connection with a reason; nothing falls back to plain text.
 * O2  Nothing goes to a workload of another network but through the gateway of that network, in a tunnel.
 */
import { formatSocketAddress, ipFamily } from '@clearmesh/shared/model/ip-address';
import type { IpAddress, SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import { serviceByBlock, serviceByVip } from '@clearmesh/shared/resolve/address-lookup';
import type { EndpointPreference } from '@clearmesh/shared/resolve/endpoint';
import { belongsToGateway } from '@clearmesh/shared/resolve/gateway';
import { hbonePort, isSelfCall } from './illegal-ports.ts';
import { refuse } from './route.ts';
import type { Captured, LookupRoute, NestedRoute, RefusedRoute, Route, RouteFacts, TunnelRoute } from './route.ts';
import { acceptedPeers, findUpstream } from './upstream.ts';
import type { Upstream } from './upstream.ts';
import { behindSameGateway, viaNetworkGateway } from './via-network-gateway.ts';
import type { NetworkContext } from './via-network-gateway.ts';
import { anotherWaypoint, viaWaypoint } from './via-waypoint.ts';
import { chooseGateway, requiresWaypoint } from './waypoint.ts';

/** The route of one connection; endpoint and waypoint are drawn by `random`, as `preference` and the service want it. */
export function resolveOutbound(
  captured: Captured,
  snapshot: Snapshot,
  random: Random,
  preference: EndpointPreference = {},
): Route {
  const { source, originalDestination: target } = captured;
  if (isSelfCall(source, target, captured.ownPorts)) {
    return refuse('self-call', `${formatSocketAddress(target)} is a port of the pod’s own proxy`, {});
  }
  const service = addressedService(snapshot, source, target.ip);
  if (service !== undefined && requiresWaypoint(service)) {
    const gateway = chooseGateway(service, random);
    return gateway === undefined
      ? refuse('waypoint-unavailable', `service ${service.key} requires a waypoint, and every weight of its waypoints is 0`, {
          service,
        })
      : viaWaypoint({ captured, snapshot, random, loadOf: preference.loadOf }, gateway, { service });
  }
  return byUpstream({ ...preference, captured, snapshot, random }, service !== undefined);
}

/**
 * Another way for a connection whose waypoint or network gateway could not be reached; `exclude` are the workloads that
 * were tried. `undefined` for a direct tunnel, and when there is no other way.
 */
export function anotherWay(
  route: TunnelRoute | NestedRoute,
  context: NetworkContext,
): TunnelRoute | NestedRoute | LookupRoute | undefined {
  if (route.via === 'waypoint') return anotherWaypoint(route, context);
  if (route.kind === 'tunnel') return undefined;
  const next = byUpstream(context, true);
  return next.kind === 'nested' || (next.kind === 'lookup' && next.next.kind === 'nested') ? next : undefined;
}

/**
 * Steps 4 to 8. Where the gateway of the workload that was drawn is of no use, workloads behind it are left out, and
 * another is drawn: a service may have endpoints in several networks.
 */
function byUpstream(context: NetworkContext, byService: boolean): Route {
  const { captured, snapshot, random, loadOf } = context;
  const { source, originalDestination: target } = captured;
  const exclude = new Set(context.exclude);
  let refused: RefusedRoute | undefined;
  for (;;) {
    const found = findUpstream({ snapshot, source, random, mode: 'standard', exclude, loadOf }, source.network, target);
    switch (found.kind) {
      case 'unknown':
        return { kind: 'passthrough', target };
      case 'passthrough':
        return { kind: 'passthrough', target, service: found.service };
      case 'no-endpoint':
        return refused ?? refuse('no-healthy-upstream', found.detail, { service: found.service });
      case 'found': {
        const { workload, service } = found.upstream;
        const next = toUpstream(context, found.upstream, byService);
        if (next.kind !== 'refused' || next.reason !== 'network-gateway-unavailable' || service === undefined) return next;
        refused ??= next;
        exclude.add(workload.uid);
        for (const uid of behindSameGateway(snapshot.endpoints(service.key), workload)) exclude.add(uid);
      }
    }
  }
}

/**
 * The final route once a name was looked up: an address of the preferred family if there is one, at random.
 * No address refuses the connection.
 */
export function completeLookup(route: LookupRoute, addresses: readonly IpAddress[], random: Random): Exclude<Route, LookupRoute> {
  const facts = factsOf(route);
  const preferred = addresses.filter((ip) => ipFamily(ip) === route.prefer);
  const candidates = preferred.length > 0 ? preferred : addresses;
  const ip = candidates[Math.floor(random.unit() * candidates.length)];
  if (ip === undefined) return refuse('no-healthy-upstream', `the name ${route.hostname} has no address`, facts);
  const { next } = route;
  if (next.kind === 'passthrough') return { kind: 'passthrough', target: { ip, port: next.port }, ...facts };
  if (next.kind === 'nested') {
    const { peerPort, ...nested } = next;
    return { ...nested, peer: { ip, port: peerPort }, ...facts };
  }
  const authority = 'authority' in next ? next.authority : { ip, port: next.targetPort };
  const { acceptedPeers, via, gateway, peerPort } = next;
  const through = gateway === undefined ? {} : { gateway };
  return { kind: 'tunnel', peer: { ip, port: peerPort }, authority, acceptedPeers, via, ...through, ...facts };
}

/**
 * The service the application meant (steps 2 and 3). A workload of this very address comes first, unless a service
 * with the same address requires a waypoint: a ServiceEntry may list its endpoint's address as its own, and the
 * waypoint must not be lost by that (design decision 1).
 */
function addressedService(snapshot: Snapshot, source: Workload, ip: IpAddress): Service | undefined {
  const exact = serviceByVip(snapshot, source.network, ip, source.namespace);
  if (exact !== undefined && requiresWaypoint(exact)) return exact;
  if (snapshot.workloadByIp(source.network, ip) !== undefined) return undefined;
  return exact ?? serviceByBlock(snapshot, source.network, ip, source.namespace);
}

/** Steps 5 to 8. */
function toUpstream(context: NetworkContext, upstream: Upstream, byService: boolean): Route {
  const { captured, snapshot } = context;
  const { source, originalDestination: target } = captured;
  const { workload, targetPort, reach, service } = upstream;
  const facts = { ...(service === undefined ? {} : { service }), destination: workload };
  if (workload.network !== source.network || reach.kind === 'gateway') {
    return viaNetworkGateway(context, { workload, innerPeers: service?.subjectAltNames ?? [], via: 'direct' }, facts);
  }
  if (!byService && workload.waypoint !== undefined && !belongsToGateway(snapshot, workload.waypoint, source)) {
    return viaWaypoint(context, workload.waypoint, facts);
  }
  const peers = acceptedPeers(workload, upstream.service);
  const hbone = workload.tunnelProtocol === 'HBONE';
  if (reach.kind === 'hostname') {
    const next = hbone
      ? ({ kind: 'tunnel', peerPort: hbonePort, targetPort, acceptedPeers: peers, via: 'direct' } as const)
      : ({ kind: 'passthrough', port: targetPort } as const);
    return { kind: 'lookup', hostname: reach.hostname, prefer: ipFamily(target.ip), next, ...facts };
  }
  const address: SocketAddress = { ip: reach.ip, port: targetPort };
  if (!hbone) return { kind: 'passthrough', target: address, ...facts };
  return {
    kind: 'tunnel',
    peer: { ip: reach.ip, port: hbonePort },
    authority: address,
    acceptedPeers: peers,
    via: 'direct',
    ...facts,
  };
}

function factsOf({ service, destination }: RouteFacts): RouteFacts {
  return { ...(service === undefined ? {} : { service }), ...(destination === undefined ? {} : { destination }) };
}
