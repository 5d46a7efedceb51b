/**
 * A destination behind a required waypoint takes connections only from that waypoint (design decision 1, C8). Pure.
 * Which port is behind one follows from what names the workload:
 *
 *   the workload is bound itself ────────────── every port, by its waypoint
 *   the target of a port of a bound service ─── that service's waypoint; an unbound service of the same port opens nothing
 *   the target of ports of unbound services ─── open
 *   a port no service declares ──────────────── if any service is bound: by the waypoint of any of them
 *
 * B1  Evidence is the identity that mTLS proved, of a workload of the waypoint; an address or a header is none, and
 *     plain text never passes, whatever the mTLS mode.
 * B2  Each of several waypoints may bring connections: those of a canary, and of services that share a port.
 * B3  A waypoint's own workloads are never behind it.
 * B4  It is asked when a connection begins and not again: a binding that comes later leaves open connections as they
 *     are and refuses new ones. Whoever has not heard of it yet is told by the status, 421, and comes by the waypoint
 *     (path/misdirected.ts), so that adding a waypoint disturbs nobody.
 * B5  A workload with an application tunnel of one port has one door for all ports: each counts as undeclared.
 */
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { targetPortAt } from '@clearmesh/shared/resolve/endpoint';
import { belongsToGateway, formatGateway, isGatewayIdentity, waypointsOf } from '@clearmesh/shared/resolve/gateway';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';

/** Waypoints of which one must be passed, and the service that says so; without one it is the workload itself. */
export type WaypointBinding = { readonly waypoints: readonly GatewayAddress[]; readonly service?: Service };

const none: readonly WaypointBinding[] = [];

/** All that binds the workload to a waypoint, whatever the port. */
export function bindingsOf(workload: Workload, snapshot: Snapshot): readonly WaypointBinding[] {
  let found: WaypointBinding[] | undefined;
  if (workload.waypoint !== undefined && !belongsToGateway(snapshot, workload.waypoint, workload)) {
    found = [{ waypoints: [workload.waypoint] }];
  }
  for (const key of workload.services.keys()) {
    const service = snapshot.service(key);
    const waypoints = service === undefined ? [] : waypointsOf(service);
    if (service === undefined || waypoints.length === 0) continue;
    if (waypoints.some((gateway) => belongsToGateway(snapshot, gateway, workload))) continue;
    (found ??= []).push({ waypoints, service });
  }
  return found ?? none;
}

/** What must be passed to reach a port; empty: it is open. */
export function requiredAt(workload: Workload, port: number, snapshot: Snapshot): readonly WaypointBinding[] {
  const all = bindingsOf(workload, snapshot);
  if (all.length === 0) return all;
  const oneDoor = workload.applicationTunnel !== undefined && workload.applicationTunnel.port > 0;
  if (oneDoor || !isDeclared(workload, port, snapshot)) return all;
  return all.filter(({ service }) => service === undefined || targets(service, workload, port));
}

/** Whether the peer is one of the waypoints that may come. */
export function comesFrom(bindings: readonly WaypointBinding[], peer: SpiffeId | undefined, snapshot: Snapshot): boolean {
  if (peer === undefined) return false;
  for (const { waypoints } of bindings)
    for (const gateway of waypoints) if (isGatewayIdentity(snapshot, gateway, peer)) return true;
  return false;
}

/** How a binding reads in a message. */
export function formatBinding({ service, waypoints }: WaypointBinding): string {
  const names = waypoints.map(formatGateway).join(' or ');
  return service === undefined
    ? `the workload itself requires waypoint ${names}`
    : `service ${service.key} requires waypoint ${names}`;
}

function isDeclared(workload: Workload, port: number, snapshot: Snapshot): boolean {
  for (const key of workload.services.keys()) {
    const service = snapshot.service(key);
    if (service !== undefined && targets(service, workload, port)) return true;
  }
  return false;
}

function targets(service: Service, workload: Workload, port: number): boolean {
  for (const { servicePort } of service.ports) if (targetPortAt(service, workload, servicePort) === port) return true;
  return false;
}
