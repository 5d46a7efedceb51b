/**
 * A connection an application opened, from capture to its end (l4-contract section 7).
 *
 *   accepted ─▶ source workload ─▶ route ─┬─ tunnel ──────▶ CONNECT at the peer ─▶ copy
 *                                         ├─ passthrough ─▶ plain TCP ───────────▶ copy
 *                                         └─ refused ─────▶ closed, with the reason logged
 *
 * O1  Nothing is read from the application before the other side is there, so nothing needs to be kept.
 * O2  What cannot be decided or dialled closes the connection. There is one endpoint and one try for it, but for a
 *     waypoint: a workload of it that could not be reached is replaced by another of the same waypoint (route-dialer.ts),
 *     and a peer that has heard of a waypoint first may send the connection there (misdirected.ts); and for a service
 *     that asks for more tries (endpoint-tries.ts).
 * O3  Until the route is known a failure is one line `connection failed`; from then on it is a report.
 */
import type { Duplex } from 'node:stream';
import type net from 'node:net';
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import { formatBaggage } from '@clearmesh/shared/wire/baggage';
import { formatForwarded } from '@clearmesh/shared/wire/forwarded';
import { formatTraceparent, newTraceparent } from '@clearmesh/shared/wire/traceparent';
import type { Accepted } from '../capture/pod-listener.ts';
import type { PodNetwork } from '../deliver/pod-network.ts';
import { relay } from '@clearmesh/shared/net/relay';
import { resolveOutbound } from '../resolve/outbound.ts';
import type { Captured, LookupRoute, RefusedRoute, Route, TunnelRoute } from '../resolve/route.ts';
import type { PodName } from '@clearmesh/shared/snapshot/snapshot';
import type { ConnectRequest } from '@clearmesh/shared/tunnel/engine';
import type { Traceparent } from '@clearmesh/shared/wire/traceparent';
import type { Connections, OpenConnection } from './connections.ts';
import { endOfFailure, endOfRelay, openReport } from './connection-report.ts';
import type { ConnectionEnd, ConnectionReport, ReportDeps, ReportFacts, TelemetryPeer } from './connection-report.ts';
import { discovered } from './discovered.ts';
import type { Discovery } from './discovered.ts';
import { EndpointTries } from './endpoint-tries.ts';
import type { EndpointTriesDeps, Reached } from './endpoint-tries.ts';
import { recordEarlyFailure } from './early-failures.ts';
import { ownWorkload } from './own-workload.ts';
import type { WorkloadSource } from './own-workload.ts';
import { MisdirectedRoutes, explainMisdirected, isMisdirected } from './misdirected.ts';
import type { MisdirectedDeps } from './misdirected.ts';
import { lookUpRoute } from './named-workload.ts';
import { Refusal } from './refusal.ts';
import { RouteDialer } from './route-dialer.ts';
import type { Dialled, RouteDialerDeps } from './route-dialer.ts';
import { SnapshotWaits } from '@clearmesh/shared/snapshot/snapshot-waits';
import type { SnapshotWaitsOptions } from '@clearmesh/shared/snapshot/snapshot-waits';

export type OutboundOptions = {
  readonly pod: PodName;
  /** For connections that a peer answered with 421. */
  readonly waits?: SnapshotWaitsOptions;
};

export type OutboundDeps = ReportDeps &
  RouteDialerDeps &
  EndpointTriesDeps & {
    readonly metrics: MisdirectedDeps['metrics'];
    readonly snapshots: WorkloadSource;
    /** Where the mesh is asked for on demand. @default all of it is known */
    readonly discovery?: Discovery;
    readonly connections: Connections;
    readonly network: PodNetwork;
    /** SO_ORIGINAL_DST; `undefined` when the connection was not redirected. */
    readonly originalDestination: (socket: net.Socket) => SocketAddress | undefined;
  };

type Attempt = {
  readonly socket: net.Socket;
  readonly captured: Captured;
  readonly connection: OpenConnection;
  readonly startedMs: number;
};

/** Whom the connection joins. */
type Joined = Omit<ReportFacts, 'direction' | 'source'> & { readonly source: Pick<TelemetryPeer, 'identity'> };

/** Carries the outbound connections of one pod. */
export class OutboundPath {
  readonly #pod: PodName;
  readonly #deps: OutboundDeps;
  readonly #dialer: RouteDialer;
  readonly #tries: EndpointTries;
  readonly #misdirected: MisdirectedRoutes;

  constructor(options: OutboundOptions, deps: OutboundDeps) {
    this.#pod = options.pod;
    this.#deps = deps;
    this.#dialer = new RouteDialer(deps);
    this.#tries = new EndpointTries(deps);
    this.#misdirected = new MisdirectedRoutes({ ...deps, waits: new SnapshotWaits(options.waits ?? {}, deps) });
  }

  /** Takes a connection from its accept to its end; never rejects. */
  async carry({ socket, remote, local }: Accepted): Promise<void> {
    const startedMs = this.#deps.clock.monotonicMs();
    using connection = this.#deps.connections.open('outbound', remote);
    let originalDestination = local;
    try {
      originalDestination = this.#deps.originalDestination(socket) ?? local;
      const source = await ownWorkload(this.#deps.snapshots, this.#pod, 'unknown-source', connection.signal);
      const captured: Captured = { source, client: remote, originalDestination };
      await this.#follow(await this.#route(captured, connection.signal), { socket, captured, connection, startedMs });
    } catch (thrown) {
      recordEarlyFailure({ direction: 'outbound', source: remote, destination: originalDestination, thrown }, this.#deps);
    } finally {
      socket.destroy();
    }
  }

  async #route(captured: Captured, signal: AbortSignal): Promise<Exclude<Route, LookupRoute>> {
    await discovered(captured, this.#deps.discovery, signal);
    const loadOf = (uid: WorkloadUid): number => this.#deps.openEndpoints.loadOf(uid);
    const route = resolveOutbound(captured, this.#deps.snapshots.current, this.#deps.random, { loadOf });
    return route.kind === 'lookup' ? lookUpRoute(route, captured.source, this.#deps, signal) : route;
  }

  async #follow(first: Exclude<Route, LookupRoute>, attempt: Attempt): Promise<void> {
    if (first.kind === 'refused') throw refusalOf(first);
    using held = new DisposableStack();
    const trace = newTraceparent(this.#deps.random);
    const reached = await this.#tries.reach(first, attempt, (route) => this.#dial(route, attempt, trace), held);
    await (reached.kind === 'tunnel' ? this.#tunnel(reached, attempt, trace) : this.#passThrough(reached, attempt));
  }

  async #tunnel({ route, outcome }: Dialled, attempt: Attempt, trace: Traceparent): Promise<void> {
    const { captured, connection } = attempt;
    const report = this.#report(attempt, {
      source: { identity: spiffeId(captured.source) },
      destination: {
        address: route.peer,
        hboneAddress: formatSocketAddress(route.authority),
        workload: route.destination,
        service: route.service,
        identity: outcome.kind === 'failed' ? undefined : outcome.peer,
      },
      trace: { traceId: trace.traceId },
    });
    switch (outcome.kind) {
      case 'open':
        return this.#copy(attempt, outcome.stream, report, 'far');
      case 'refused':
        return report.complete(this.#endOfRefusal(route, outcome.status, connection.signal));
      case 'failed':
        return report.complete(endOfFailure(outcome.flag, outcome.error, connection.signal));
      default:
        return unreachable(outcome);
    }
  }

  /** The tunnel, or the other way once that the peer asks to look for. */
  async #dial(drawn: TunnelRoute, attempt: Attempt, trace: Traceparent): Promise<Dialled> {
    const { captured } = attempt;
    const dialled = await this.#dialer.dial(drawn, attempt, requestFor(drawn, captured, trace));
    if (!isMisdirected(dialled.outcome)) return dialled;
    const other = await this.#misdirected.another(dialled.route, attempt);
    return other === undefined ? dialled : this.#dialer.dial(other, attempt, requestFor(other, captured, trace));
  }

  /** 401 and 421 are policies of the destination; everything else says that the peer could not connect. */
  #endOfRefusal(route: TunnelRoute, status: number, signal: AbortSignal): ConnectionEnd {
    const answer = `http status: ${status} ${statusTexts[status] ?? ''}`.trimEnd();
    if (signal.aborted) return endOfFailure('-', answer, signal);
    if (status !== 421) return { flag: status === 401 ? 'DENY' : 'CONNECT', error: answer };
    return { flag: 'DENY', error: `${answer}: ${explainMisdirected(route, this.#deps.snapshots.current)}` };
  }

  async #passThrough({ route, outcome }: Extract<Reached, { kind: 'plain' }>, attempt: Attempt): Promise<void> {
    const destination = { address: route.target, workload: route.destination, service: route.service };
    const report = this.#report(attempt, { source: {}, destination });
    if (outcome.kind === 'open') return this.#copy(attempt, outcome.socket, report, undefined);
    report.complete(endOfFailure('CONNECT', outcome.error, attempt.connection.signal));
  }

  #report(attempt: Attempt, { source, ...known }: Joined): ConnectionReport {
    const { socket, captured, startedMs } = attempt;
    const facts: ReportFacts = {
      direction: 'outbound',
      source: { address: captured.client, workload: captured.source, ...source },
      ...known,
    };
    // The accepted socket is the client's: what was read of it was sent towards the server.
    return openReport(facts, startedMs, () => ({ received: socket.bytesRead, sent: socket.bytesWritten }), this.#deps);
  }

  async #copy(
    { socket, connection }: Attempt,
    far: Duplex,
    report: ConnectionReport,
    tunnelSide: 'far' | undefined,
  ): Promise<void> {
    connection.carries(socket, far);
    const end = await relay(socket, far, this.#deps, connection.signal);
    report.complete(endOfRelay(end, tunnelSide));
  }
}

/** What an application's connection asks of the peer. It never speaks for anybody but its own pod. */
function requestFor(route: TunnelRoute, { source, client }: Captured, trace: Traceparent): ConnectRequest {
  const host = route.service?.hostname;
  return {
    authority: formatSocketAddress(route.authority),
    headers: {
      baggage: formatBaggage(source),
      forwarded: formatForwarded(host === undefined ? { client } : { client, host }),
      traceparent: formatTraceparent(trace),
    },
  };
}

/** NWP: a required waypoint is never gone around (design decision 1). */
function refusalOf({ reason, detail }: RefusedRoute): Refusal {
  return new Refusal({ reason, message: detail, flag: reason === 'waypoint-unavailable' ? 'NWP' : '-' });
}

const statusTexts: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  421: 'Misdirected Request',
  503: 'Service Unavailable',
};
