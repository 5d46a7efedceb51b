/**
 * What resolution decides, as a value (l4-contract section 7). Nothing here opens a socket.
 */
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { OwnPorts } from './illegal-ports.ts';

/** What capture knows of one outbound connection. */
export type Captured = {
  readonly source: Workload;
  /** The client's own address and port. */
  readonly client: SocketAddress;
  /** SO_ORIGINAL_DST, or what the client asked for in words. */
  readonly originalDestination: SocketAddress;
  /** Of its proxy. @default those that each has */
  readonly ownPorts?: OwnPorts;
};

/** Telemetry facts every route carries. */
export type RouteFacts = {
  /** The service the application addressed, if it was one. */
  readonly service?: Service;
  /** The workload chosen or addressed, if it is known. */
  readonly destination?: Workload;
};

/** CONNECT over mTLS: dial `peer`, ask for `authority`. */
export type TunnelRoute = {
  readonly kind: 'tunnel';
  readonly peer: SocketAddress;
  readonly authority: SocketAddress;
  /** Who may answer, the workload's own identity first; never empty. */
  readonly acceptedPeers: readonly [SpiffeId, ...SpiffeId[]];
  readonly via: 'direct' | 'waypoint';
  /** Which waypoint; absent when the tunnel is a direct one. */
  readonly gateway?: GatewayAddress;
} & RouteFacts;

/**
 * Into another network: a tunnel to its gateway, and within it one to whoever serves there (section 2.8). Both are asked
 * for `authority`, the service's hostname with its own port: addresses mean nothing on the other side.
 */
export type NestedRoute = {
  readonly kind: 'nested';
  /** The gateway. */
  readonly peer: SocketAddress;
  /** `hostname:port`. */
  readonly authority: string;
  /** Who may answer at the gateway; never empty. */
  readonly acceptedPeers: readonly [SpiffeId, ...SpiffeId[]];
  /** Who may answer at the far end; the gateway chooses which workload does. */
  readonly innerPeers: readonly [SpiffeId, ...SpiffeId[]];
  /** Where `innerPeers` are: with the service's endpoints, or with its waypoint. */
  readonly via: 'direct' | 'waypoint';
  /** Which waypoint; absent when the far end is an endpoint. */
  readonly gateway?: GatewayAddress;
  /** The workload at `peer`. */
  readonly networkGateway: Workload;
} & RouteFacts;

/** Plain TCP to the address: the destination is not in the mesh. */
export type PassthroughRoute = { readonly kind: 'passthrough'; readonly target: SocketAddress } & RouteFacts;

/**
 * The chosen workload has a name and no address (section 7.2). The caller asks the system resolver for A and AAAA
 * records and gives them to `completeLookup`, which makes the final route.
 */
export type LookupRoute = {
  readonly kind: 'lookup';
  readonly hostname: string;
  /** The family of the address the application dialled; used when the name has one of it. */
  readonly prefer: 4 | 6;
  readonly next:
    | { readonly kind: 'passthrough'; readonly port: number }
    | ({ readonly kind: 'tunnel'; readonly peerPort: number } & Pick<TunnelRoute, 'acceptedPeers' | 'via' | 'gateway'> &
        /** Without an authority it is the address found, with this port. */
        ({ readonly authority: SocketAddress } | { readonly targetPort: number }))
    | (Omit<NestedRoute, 'peer' | keyof RouteFacts> & { readonly peerPort: number });
} & RouteFacts;

/** The connection is closed, and the reason is logged and counted. */
export type RefusedRoute = { readonly kind: 'refused'; readonly reason: RefusalReason; readonly detail: string } & RouteFacts;

export type Route = TunnelRoute | NestedRoute | PassthroughRoute | LookupRoute | RefusedRoute;

/** `waypoint-unavailable` is flag NWP: a required waypoint is missing (design decision 1: never bypassed). */
export type RefusalReason =
  | 'self-call'
  | 'no-healthy-upstream'
  | 'waypoint-unavailable'
  | 'network-gateway-unavailable'
  | 'unknown-source';

/** A refusal with what is known of the connection. */
export function refuse(reason: RefusalReason, detail: string, { service, destination }: RouteFacts): RefusedRoute {
  return {
    kind: 'refused',
    reason,
    detail,
    ...(service === undefined ? {} : { service }),
    ...(destination === undefined ? {} : { destination }),
  };
}
