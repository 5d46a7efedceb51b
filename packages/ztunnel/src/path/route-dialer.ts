/**
 * The tunnel of one connection, and another workload of the same waypoint when the drawn one cannot be reached.
 *
 *   dial ─┬─ open | refused ──────────────────────────────▶ that is it
 *         └─ failed ─┬─ direct, or a request went out ─────▶ that is it
 *                    └─ to a waypoint, and nothing was sent ─▶ another workload of it ─▶ dial (two others at most)
 *
 * R1  Only a peer that certainly did nothing is replaced: no tunnel came about, or it turned the request away unread.
 *     Of the application nothing was read yet in any case, so nothing can arrive twice.
 * R2  Waypoints only: their workloads are the same to the application, and a rolling replacement of theirs should not
 *     be seen. An endpoint that was chosen for the application itself is not replaced by another.
 */
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import type { DialOutcome, TunnelDialer } from '@clearmesh/shared/tunnel/dialer';
import type { ConnectRequest } from '@clearmesh/shared/tunnel/engine';
import type { Captured, TunnelRoute } from '../resolve/route.ts';
import { anotherWaypoint } from '../resolve/via-waypoint.ts';
import type { OpenConnection } from './connections.ts';
import { lookUpRoute } from './named-workload.ts';
import type { NameLookupDeps } from './named-workload.ts';

export type RouteDialerDeps = NameLookupDeps & {
  readonly dialer: TunnelDialer;
  readonly snapshots: SnapshotSource;
  /** The access scope. */
  readonly log: Logger;
  readonly metrics: { waypointRetried(): void };
};

/** For whom a tunnel is dialled. */
export type Dialling = { readonly captured: Captured; readonly connection: OpenConnection };

/** Where the last try went, and what came of it. */
export type Dialled = { readonly route: TunnelRoute; readonly outcome: DialOutcome };

type Failed = Extract<DialOutcome, { kind: 'failed' }>;

/** Other workloads of a waypoint that one connection tries. */
const maxOthers = 2;

export class RouteDialer {
  readonly #deps: RouteDialerDeps;

  constructor(deps: RouteDialerDeps) {
    this.#deps = deps;
  }

  async dial(first: TunnelRoute, dialling: Dialling, request: ConnectRequest): Promise<Dialled> {
    const outcome = await this.#dial(first, dialling, request);
    return isReplaceable(first, outcome, dialling)
      ? this.#dialOthers(first, outcome, dialling, request)
      : { route: first, outcome };
  }

  async #dialOthers(first: TunnelRoute, failed: Failed, dialling: Dialling, request: ConnectRequest): Promise<Dialled> {
    const tried = new Set<WorkloadUid>();
    let route = first;
    let outcome: DialOutcome = failed;
    while (tried.size < maxOthers && isReplaceable(route, outcome, dialling)) {
      if (route.destination !== undefined) tried.add(route.destination.uid);
      const next = await this.#another(route, dialling, tried);
      if (next === undefined) break;
      this.#recvFailed(route, outcome, dialling);
      route = next;
      outcome = await this.#dial(route, dialling, request);
    }
    return { route, outcome };
  }

  #dial(route: TunnelRoute, { captured, connection }: Dialling, request: ConnectRequest): Promise<DialOutcome> {
    const { peer, acceptedPeers } = route;
    const actualDst = formatSocketAddress(peer);
    connection.joined({ originalDst: request.authority, actualDst, protocol: 'HBONE' });
    const { source, client } = captured;
    const target = { sourceIdentity: spiffeId(source), acceptedPeers, address: peer, sourceIp: client.ip };
    return this.#deps.dialer.dial(target, request, connection.signal);
  }

  async #another(
    route: TunnelRoute,
    { captured, connection }: Dialling,
    exclude: ReadonlySet<WorkloadUid>,
  ): Promise<TunnelRoute | undefined> {
    const { snapshots, random } = this.#deps;
    const next = anotherWaypoint(route, { captured, snapshot: snapshots.current, random, exclude });
    if (next?.kind !== 'lookup') return next;
    const found = await lookUpRoute(next, captured.source, this.#deps, connection.signal);
    return found.kind === 'tunnel' ? found : undefined;
  }

  #recvFailed(route: TunnelRoute, { error }: Failed, { captured }: Dialling): void {
    this.#deps.metrics.waypointRetried();
    this.#deps.log.warn('waypoint not reached, another workload of it is tried', {
      'src.addr': formatSocketAddress(captured.client),
      'dst.addr': formatSocketAddress(route.peer),
      'dst.hbone_addr': formatSocketAddress(route.authority),
      'dst.service': route.service?.hostname,
      'dst.workload': route.destination?.name,
      direction: 'outbound',
      error: error.message,
    });
  }
}

/** R1, R2. Without a certificate of its own the pod has nothing to show to another one either. */
function isReplaceable(route: TunnelRoute, outcome: DialOutcome, { connection }: Dialling): outcome is Failed {
  if (outcome.kind !== 'failed' || outcome.unsent !== true || outcome.flag === 'IDENTITY_ERROR') return false;
  return route.via === 'waypoint' && route.destination !== undefined && !connection.signal.aborted;
}
