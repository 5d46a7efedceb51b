/**
 * The way to a workload of another network (l4-contract section 2.8; section 7, steps 3 and 5).
 *
 * G1  Only services are reached there: an address alone means nothing on the other side, and nobody would be proven by it.
 * G2  Who answers at the far end is for its gateway to choose, so only the names of the service are accepted there (or
 *     of the waypoint's service); where none are known the connection is refused before anything is dialled.
 * G3  A gateway that is missing, not ready, or itself behind a gateway, is none: nothing is sent around it.
 */
import { ipFamily } from '@clearmesh/shared/model/ip-address';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { EndpointPreference } from '@clearmesh/shared/resolve/endpoint';
import { formatGateway } from '@clearmesh/shared/resolve/gateway';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import { refuse } from './route.ts';
import type { Captured, LookupRoute, NestedRoute, RefusedRoute, RouteFacts } from './route.ts';
import { acceptedPeers } from './upstream.ts';
import { resolveGateway } from './waypoint.ts';

/** Whom the gateway is to lead to. */
export type FarEnd = {
  /** In another network. */
  readonly workload: Workload;
  /** G2. */
  readonly innerPeers: readonly SpiffeId[];
  readonly via: 'direct' | 'waypoint';
  /** Which waypoint it is, if it is one. */
  readonly gateway?: GatewayAddress;
};

/** Workloads to be excluded are those that were tried in vain, of gateways and of the service alike. */
export type NetworkContext = EndpointPreference & {
  readonly captured: Captured;
  readonly snapshot: Snapshot;
  readonly random: Random;
};

/** Through the gateway of the workload's network; `facts` name the service asked for. */
export function viaNetworkGateway(
  { captured, ...context }: NetworkContext,
  { workload, innerPeers, ...far }: FarEnd,
  facts: RouteFacts,
): NestedRoute | LookupRoute | RefusedRoute {
  const { source, originalDestination: target } = captured;
  const where = `workload ${workload.uid} is in network "${workload.network}" and the client in "${source.network}"`;
  const refused = (why: string): RefusedRoute => refuse('network-gateway-unavailable', `${where}: ${why}`, facts);
  const { service } = facts;
  const { networkGateway } = workload;
  if (service === undefined) return refused('only services are reached in other networks, by their own address');
  if (networkGateway === undefined) return refused('the mesh names no gateway of that network');
  const [first, ...others] = innerPeers;
  if (first === undefined) {
    return refused(`the ${far.via === 'waypoint' ? 'waypoint’s ' : ''}service has no names that its workloads there could prove`);
  }
  const found = resolveGateway({ source, ...context }, networkGateway, target.ip, 'network gateway');
  if (found.kind === 'unavailable') return refused(found.detail);
  const { workload: at, targetPort: port, reach, service: gatewayService } = found.upstream;
  const nested = {
    kind: 'nested',
    authority: `${service.hostname}:${target.port}`,
    acceptedPeers: acceptedPeers(at, gatewayService),
    innerPeers: [first, ...others],
    networkGateway: at,
    ...far,
  } as const;
  switch (reach.kind) {
    case 'address':
      return { ...nested, peer: { ip: reach.ip, port }, ...facts };
    case 'hostname':
      return {
        kind: 'lookup',
        hostname: reach.hostname,
        prefer: ipFamily(target.ip),
        next: { ...nested, peerPort: port },
        ...facts,
      };
    case 'gateway':
      return refused(`network gateway ${formatGateway(networkGateway)} is itself in network "${at.network}"`);
  }
}

/** Endpoints that share a gateway share its fate: all of them, so that the others may be looked at. */
export function behindSameGateway(endpoints: Iterable<Workload>, { networkGateway, network }: Workload): readonly WorkloadUid[] {
  const name = networkGateway && formatGateway(networkGateway);
  const same = (other: Workload): boolean =>
    other.network === network && (other.networkGateway && formatGateway(other.networkGateway)) === name;
  return [...endpoints].filter(same).map(({ uid }) => uid);
}
