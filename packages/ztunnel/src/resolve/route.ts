/**
 * What resolution decides, as a value (l4-contract section 7). Nothing here opens a socket.
 */
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';

/** What capture knows of one outbound connection. */
export type Captured = {
  readonly source: Workload;
  /** The client's own address and port. */
  readonly client: SocketAddress;
  /** SO_ORIGINAL_DST. */
  readonly originalDestination: SocketAddress;
};

/** Telemetry facts every route carries. */
type RouteFacts = {
  /** The service the application addressed, if it was one. */
  readonly service?: Service;
  /** The workload chosen or addressed, if it is known. */
  readonly destination?: Workload;
};

export type Route =
  /** CONNECT over mTLS: dial `peer`, ask for `authority`. */
  | ({
      readonly kind: 'tunnel';
      readonly peer: SocketAddress;
      readonly authority: SocketAddress;
      /** Who may answer; never empty. */
      readonly acceptedPeers: readonly [SpiffeId, ...SpiffeId[]];
      readonly via: 'direct' | 'waypoint';
    } & RouteFacts)
  /** Plain TCP to the address: the destination is not in the mesh. */
  | ({ readonly kind: 'passthrough'; readonly target: SocketAddress } & RouteFacts)
  /** The connection is closed, and the reason is logged and counted. */
  | ({ readonly kind: 'refused'; readonly reason: RefusalReason; readonly detail: string } & RouteFacts);

/** `NWP`: a required waypoint is missing (design decision 1: never bypassed). */
export type RefusalReason = 'self-call' | 'no-healthy-upstream' | 'waypoint-unavailable' | 'network-gateway-unavailable' | 'unknown-source';

/** How a gateway address reads in a message. */
export function formatGateway(gateway: GatewayAddress): string {
  const place = gateway.kind === 'hostname' ? `${gateway.namespace}/${gateway.hostname}` : `${gateway.address.network}/${gateway.address.ip}`;
  return `${place}:${gateway.hboneMtlsPort}`;
}
