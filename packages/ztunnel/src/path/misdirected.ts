/**
 * A connection whose CONNECT was answered with 421 (RFC 9110 section 15.5.20): the other proxy heard of a waypoint, or
 * of another one, before this proxy did.
 *
 *   421 ─▶ resolved again ─┬─ another way ─────────────────────────▶ that one, once
 *                          ├─ a direct one that is known to be shut ─▶ refused
 *                          └─ neither: wait for the mesh to change ──▶ resolved again …, at most 1 s
 *
 * M1  Of the application nothing was read yet (O1 of outbound.ts), so nothing arrives twice and nothing at the wrong end.
 * M2  After a direct tunnel the other way is by a waypoint and nothing else. After a waypoint it is by another waypoint,
 *     or straight if the mesh says that none is required: what a connection that begins now would do.
 * M3  The answer chooses nothing: it only has this proxy look again, at what its own control plane says.
 */
import type { Random } from '@clearmesh/shared/lifecycle/random';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Logger } from '@clearmesh/shared/observe/log';
import { formatGateway, waypointsOf } from '@clearmesh/shared/resolve/gateway';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import type { DialOutcome } from '@clearmesh/shared/tunnel/dialer';
import { formatBinding, requiredAt } from '../authorise/waypoint-traversal.ts';
import type { WaypointBinding } from '../authorise/waypoint-traversal.ts';
import { resolveOutbound } from '../resolve/outbound.ts';
import type { Captured, LookupRoute, Route, TunnelRoute } from '../resolve/route.ts';
import { lookUpRoute } from './named-workload.ts';
import type { NameLookupDeps } from './named-workload.ts';
import type { Dialling } from './route-dialer.ts';
import type { SnapshotWaits } from '@clearmesh/shared/snapshot/snapshot-waits';

export type MisdirectedDeps = NameLookupDeps & {
  readonly waits: SnapshotWaits;
  /** The access scope. */
  readonly log: Logger;
  readonly metrics: { misdirectedRetried(): void };
};

export type Correction =
  | { readonly kind: 'other-way'; readonly route: TunnelRoute | LookupRoute }
  /** The mesh knows that the way is shut, and has no other for this connection. */
  | { readonly kind: 'none' };

const none: Correction = { kind: 'none' };

export function isMisdirected(outcome: DialOutcome): boolean {
  return outcome.kind === 'refused' && outcome.status === 421;
}

/** What the mesh says of a connection that was refused with 421; `undefined` while it says what it said before. Pure. */
export function correctionOf(
  refused: TunnelRoute,
  captured: Captured,
  snapshot: Snapshot,
  random: Random,
): Correction | undefined {
  const route = resolveOutbound(captured, snapshot, random);
  const other = otherWay(route, refused);
  if (other !== undefined) return { kind: 'other-way', route: other };
  return refused.via === 'direct' && route.kind === 'tunnel' && bindingsAt(route, snapshot).length > 0 ? none : undefined;
}

/** What 421 means for a connection that it ended. */
export function explainMisdirected(refused: TunnelRoute, snapshot: Snapshot): string {
  const { gateway } = refused;
  if (gateway !== undefined) {
    return `waypoint ${formatGateway(gateway)} is not the way to ${shown(refused)}, and the mesh names no other`;
  }
  const bindings = bindingsAt(refused, snapshot);
  if (bindings.length === 0)
    return `${shown(refused)} takes connections from its waypoint only, and this proxy has not heard of it; see whether both proxies reach the control plane`;
  return `${shown(refused)} takes connections from its waypoint only: ${bindings.map(formatBinding).join('; ')}; call the service by its own address`;
}

/** Finds the other way for connections of one pod. */
export class MisdirectedRoutes {
  readonly #deps: MisdirectedDeps;

  constructor(deps: MisdirectedDeps) {
    this.#deps = deps;
  }

  /** The way to follow instead, now or within the time of a wait. */
  async another(refused: TunnelRoute, { captured, connection }: Dialling): Promise<TunnelRoute | undefined> {
    const { waits, random } = this.#deps;
    const find = (snapshot: Snapshot): Correction | undefined => correctionOf(refused, captured, snapshot, random);
    const found = await waits.until(find, connection.signal);
    if (found?.kind !== 'other-way') return undefined;
    const { route } = found;
    const completed = route.kind === 'tunnel' ? route : await lookUpRoute(route, captured.source, this.#deps, connection.signal);
    if (completed.kind !== 'tunnel' || connection.signal.aborted) return undefined;
    this.#recvFound(refused, completed, captured);
    return completed;
  }

  #recvFound(refused: TunnelRoute, route: TunnelRoute, { client }: Captured): void {
    this.#deps.metrics.misdirectedRetried();
    this.#deps.log.debug('the mesh names another way for a connection answered with 421, and it is taken', {
      'src.addr': formatSocketAddress(client),
      'dst.addr': formatSocketAddress(route.peer),
      'dst.service': route.service?.hostname,
      'dst.workload': route.destination?.name,
      refused_by: formatSocketAddress(refused.peer),
      direction: 'outbound',
    });
  }
}

/** M2. A canary is not left for its other half: as long as the waypoint is one of the service's, it is the way. */
function otherWay(route: Route, refused: TunnelRoute): TunnelRoute | LookupRoute | undefined {
  if (route.kind !== 'tunnel' && route.kind !== 'lookup') return undefined;
  const way = route.kind === 'lookup' ? route.next : route;
  if (way.kind !== 'tunnel') return undefined;
  if (refused.gateway === undefined) return way.via === 'waypoint' ? route : undefined;
  const before = formatGateway(refused.gateway);
  const still = route.service === undefined ? [] : waypointsOf(route.service);
  const named = way.gateway === undefined ? still : [way.gateway, ...still];
  return named.some((gateway) => formatGateway(gateway) === before) ? undefined : route;
}

function bindingsAt({ destination, authority }: TunnelRoute, snapshot: Snapshot): readonly WaypointBinding[] {
  const workload = destination === undefined ? undefined : snapshot.workload(destination.uid);
  return workload === undefined ? [] : requiredAt(workload, authority.port, snapshot);
}

/** The service asked for; of a pod that was asked itself, those it belongs to. */
function shown({ service, destination, authority, via }: TunnelRoute): string {
  if (service !== undefined) return `service ${service.key}`;
  const address = formatSocketAddress(authority);
  // The workload of a way by a waypoint is the waypoint's.
  const services = destination === undefined || via === 'waypoint' ? [] : [...destination.services.keys()].slice(0, 3);
  return services.length === 0 ? address : `${address} of service ${services.join(', ')}`;
}
