/**
 * The tunnel of one connection, or its two tunnels into another network; and another workload of the same waypoint, or
 * another gateway of a network, when the drawn one cannot be reached.
 *
 *   dial ─┬─ open | refused ──────────────────────────────▶ that is it
 *         └─ failed ─┬─ direct, or a request went out ─────▶ that is it
 *                    └─ to a gateway, and nothing was sent ─▶ another one ─▶ dial (two others at most)
 *
 * R1  Only a peer that certainly did nothing is replaced: no tunnel came about, or it turned the request away unread.
 *     Of the application nothing was read yet in any case, so nothing can arrive twice.
 * R2  Waypoints and gateways of networks only: their workloads are the same to the application, and a rolling
 *     replacement of theirs should not be seen. An endpoint that was chosen for the application itself is not replaced by
 *     another; whom a network's gateway leads to was not chosen yet.
 */
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import type { DialOutcome, NestedTunnelDialer, TunnelDialer } from '@clearmesh/shared/tunnel/dialer';
import type { ConnectRequest } from '@clearmesh/shared/tunnel/engine';
import { anotherWay } from '../resolve/outbound.ts';
import type { Captured, NestedRoute, TunnelRoute } from '../resolve/route.ts';
import { authorityOf } from './connect-request.ts';
import type { OpenConnection } from './connections.ts';
import { lookUpRoute } from './named-workload.ts';
import type { NameLookupDeps } from './named-workload.ts';

export type RouteDialerDeps = NameLookupDeps & {
  readonly dialer: TunnelDialer;
  /** Into other networks; by tunnels of `dialer`. */
  readonly nested: NestedTunnelDialer;
  readonly snapshots: SnapshotSource;
  /** The access scope. */
  readonly log: Logger;
  readonly metrics: { gatewayRetried(): void };
};

/** For whom a tunnel is dialled. */
export type Dialling = {
  readonly captured: Captured;
  readonly connection: OpenConnection;
  /** Workloads that did not take the connection before. @default none */
  readonly exclude?: ReadonlySet<WorkloadUid>;
};

export type DialledRoute = TunnelRoute | NestedRoute;

/** Where the last try went, and what came of it. */
export type Dialled = { readonly route: DialledRoute; readonly outcome: DialOutcome };

type RequestOf = (route: DialledRoute) => ConnectRequest;

type Failed = Extract<DialOutcome, { kind: 'failed' }>;

export type RouteDialerOptions = {
  /** The proxy's own network; "" where the mesh has one only. */
  readonly network: string;
};

/** Other gateways that one connection tries. */
const maxOthers = 2;

export class RouteDialer {
  readonly #options: RouteDialerOptions;
  readonly #deps: RouteDialerDeps;

  constructor(options: RouteDialerOptions, deps: RouteDialerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** @param requestOf what is asked of each way: another one may lead into another network, or out of one */
  async dial(first: DialledRoute, dialling: Dialling, requestOf: RequestOf): Promise<Dialled> {
    const outcome = await this.#dial(first, dialling, requestOf(first));
    return isReplaceable(first, outcome, dialling)
      ? this.#dialOthers(first, outcome, dialling, requestOf)
      : { route: first, outcome };
  }

  async #dialOthers(first: DialledRoute, failed: Failed, dialling: Dialling, requestOf: RequestOf): Promise<Dialled> {
    const tried = new Set<WorkloadUid>(dialling.exclude);
    let route = first;
    let outcome: DialOutcome = failed;
    for (let others = 0; others < maxOthers && isReplaceable(route, outcome, dialling); others++) {
      const dialled = dialledWorkload(route);
      if (dialled !== undefined) tried.add(dialled.uid);
      const next = await this.#another(route, dialling, tried);
      if (next === undefined) break;
      this.#recvFailed(route, outcome, dialling);
      route = next;
      outcome = await this.#dial(route, dialling, requestOf(route));
    }
    return { route, outcome };
  }

  #dial(route: DialledRoute, { captured, connection }: Dialling, request: ConnectRequest): Promise<DialOutcome> {
    const { peer, acceptedPeers } = route;
    const actualDst = formatSocketAddress(peer);
    connection.joined({ originalDst: request.authority, actualDst, protocol: 'HBONE' });
    const { source, client } = captured;
    const target = { sourceIdentity: spiffeId(source), acceptedPeers, address: peer, sourceIp: client.ip };
    const { dialer, nested } = this.#deps;
    if (route.kind === 'tunnel') return dialer.dial(target, request, connection.signal);
    const { innerPeers } = route;
    return nested.dial({ outer: target, innerPeers, ownNetwork: this.#options.network }, request, connection.signal);
  }

  async #another(
    route: DialledRoute,
    { captured, connection }: Dialling,
    exclude: ReadonlySet<WorkloadUid>,
  ): Promise<DialledRoute | undefined> {
    const { snapshots, random } = this.#deps;
    const next = anotherWay(route, { captured, snapshot: snapshots.current, random, exclude });
    if (next?.kind !== 'lookup') return next;
    const found = await lookUpRoute(next, captured.source, this.#deps, connection.signal);
    return found.kind === 'tunnel' || found.kind === 'nested' ? found : undefined;
  }

  #recvFailed(route: DialledRoute, { error }: Failed, { captured }: Dialling): void {
    const which =
      route.kind === 'tunnel' ? 'waypoint not reached, another workload of it' : 'network gateway not reached, another one';
    this.#deps.metrics.gatewayRetried();
    this.#deps.log.warn(`${which} is tried`, {
      'src.addr': formatSocketAddress(captured.client),
      'dst.addr': formatSocketAddress(route.peer),
      'dst.hbone_addr': authorityOf(route),
      'dst.service': route.service?.hostname,
      'dst.workload': dialledWorkload(route)?.name,
      direction: 'outbound',
      error: error.message,
    });
  }
}

/** R1, R2. Without a certificate of its own the pod has nothing to show to another one either. */
function isReplaceable(route: DialledRoute, outcome: DialOutcome, { connection }: Dialling): outcome is Failed {
  if (outcome.kind !== 'failed' || outcome.unsent !== true || outcome.flag === 'IDENTITY_ERROR') return false;
  return (
    (route.kind === 'nested' || route.via === 'waypoint') && dialledWorkload(route) !== undefined && !connection.signal.aborted
  );
}

/** Whose address is dialled. */
function dialledWorkload(route: DialledRoute): Workload | undefined {
  return route.kind === 'tunnel' ? route.destination : route.networkGateway;
}
