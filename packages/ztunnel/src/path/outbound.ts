/**
 * A connection an application opened, from capture to its end (l4-contract section 7).
 *
 *   accepted ─▶ source workload ─▶ route ─┬─ tunnel ──────▶ CONNECT at the peer ─▶ copy
 *                                         ├─ nested ──────▶ CONNECT at the gateway, and in it at the far end ─▶ copy
 *                                         ├─ passthrough ─▶ plain TCP ───────────▶ copy
 *                                         └─ refused ─────▶ closed, with the reason logged
 *
 * O1  Nothing is read from the application before the other side is there, so nothing needs to be kept.
 * O2  What cannot be decided or dialled closes the connection. There is one endpoint and one try for it, but for a
 *     waypoint and a network's gateway: one that could not be reached is replaced by another (route-dialer.ts), and a peer
 *     that has heard of a waypoint first may send the connection there (misdirected.ts); and for a service that asks for
 *     more tries (endpoint-tries.ts).
 * O3  Until the route is known a failure is one line `connection failed`; from then on it is a report.
 * O4  The kernel has answered the client before the proxy hears of it, so that a failure can only end what is open. With `resets`
 *     it does so by a reset, which no application takes for the end of an answer.
 */
import type { Duplex } from 'node:stream';
import type net from 'node:net';
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { workloadOfBaggage } from '@clearmesh/shared/wire/peer-baggage';
import type { TelemetryWorkload } from '@clearmesh/shared/wire/peer-baggage';
import { isSampled, newTraceparent } from '@clearmesh/shared/wire/traceparent';
import type { Accepted } from '../capture/pod-listener.ts';
import type { PodNetwork } from '../deliver/pod-network.ts';
import { closeStream } from '@clearmesh/shared/net/close-stream';
import { relay } from '@clearmesh/shared/net/relay';
import type { RelayOptions } from '@clearmesh/shared/net/relay';
import { resolveOutbound } from '../resolve/outbound.ts';
import type { OwnPorts } from '../resolve/illegal-ports.ts';
import type { Captured, LookupRoute, RefusedRoute, Route } from '../resolve/route.ts';
import type { PodName } from '@clearmesh/shared/snapshot/snapshot';
import type { DialOutcome } from '@clearmesh/shared/tunnel/dialer';
import type { ConnectRequest } from '@clearmesh/shared/tunnel/engine';
import type { Traceparent } from '@clearmesh/shared/wire/traceparent';
import { authorityOf, requestFor } from './connect-request.ts';
import type { Connections, OpenConnection } from './connections.ts';
import { endOfFailure, endOfRelay, openReport } from './connection-report.ts';
import type { Bytes, ConnectionEnd, ConnectionReport, ReportDeps, ReportFacts, TelemetryPeer } from './connection-report.ts';
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
import type { Dialled, DialledRoute, Dialling, RouteDialerDeps, RouteDialerOptions } from './route-dialer.ts';
import { unopenedBy, unopenedByFlag, unopenedByStatus } from './unopened.ts';
import type { Unopened } from './unopened.ts';
import { SnapshotWaits } from '@clearmesh/shared/snapshot/snapshot-waits';
import type { SnapshotWaitsOptions } from '@clearmesh/shared/snapshot/snapshot-waits';

export type OutboundOptions = OwnPorts &
  RouteDialerOptions & {
    readonly pod: PodName;
    /** Clients learn that a connection was refused, failed or was reset by a reset of theirs. @default false */
    readonly resets?: boolean;
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

/** A connection that its client asked for in words. */
export type Asked = {
  readonly destination: SocketAddress;
  /** Those of the connection itself, without what was said to ask for it. */
  readonly bytes: () => Bytes;
  /** The other side is there: the last moment to say so. */
  readonly opened: () => void;
};

type Attempt = {
  readonly socket: net.Socket;
  readonly asked: Asked | undefined;
  readonly captured: Captured;
  readonly connection: OpenConnection;
  readonly startedMs: number;
};

type Refused = Extract<DialOutcome, { kind: 'refused' }>;

/** Whom the connection joins. */
type Joined = Omit<ReportFacts, 'direction' | 'source'> & { readonly source: Pick<TelemetryPeer, 'identity'> };

/** Carries the outbound connections of one pod. */
export class OutboundPath {
  readonly #pod: PodName;
  readonly #relay: RelayOptions;
  readonly #ownPorts: OwnPorts;
  readonly #deps: OutboundDeps;
  readonly #dialer: RouteDialer;
  readonly #tries: EndpointTries;
  readonly #misdirected: MisdirectedRoutes;

  constructor(options: OutboundOptions, deps: OutboundDeps) {
    this.#pod = options.pod;
    this.#relay = { resets: options.resets ?? false };
    this.#ownPorts = options;
    this.#deps = deps;
    this.#dialer = new RouteDialer(options, deps);
    this.#tries = new EndpointTries(deps);
    this.#misdirected = new MisdirectedRoutes({ ...deps, waits: new SnapshotWaits(options.waits ?? {}, deps) });
  }

  /** Takes a connection from its accept to its end; never rejects. */
  carry(accepted: Accepted): Promise<unknown> {
    return this.#carry(accepted, undefined);
  }

  /** The same for one that was asked for; says why not when nothing came about, and leaves the socket open then. Never rejects. */
  carryAsked(accepted: Accepted, asked: Asked): Promise<Unopened | undefined> {
    return this.#carry(accepted, asked);
  }

  async #carry({ socket, remote, local }: Accepted, asked: Asked | undefined): Promise<Unopened | undefined> {
    const startedMs = this.#deps.clock.monotonicMs();
    using connection = this.#deps.connections.open('outbound', remote);
    let originalDestination = asked?.destination ?? local;
    try {
      if (asked === undefined) originalDestination = this.#deps.originalDestination(socket) ?? local;
      const source = await ownWorkload(this.#deps.snapshots, this.#pod, 'unknown-source', connection.signal);
      const captured: Captured = { source, client: remote, originalDestination, ownPorts: this.#ownPorts };
      return await this.#follow(await this.#route(captured, connection.signal), {
        socket,
        asked,
        captured,
        connection,
        startedMs,
      });
    } catch (thrown) {
      recordEarlyFailure({ direction: 'outbound', source: remote, destination: originalDestination, thrown }, this.#deps);
      return unopenedBy(thrown);
    } finally {
      // O4.
      if (asked === undefined) closeStream(socket, this.#relay.resets === true ? 'reset' : 'in-order');
    }
  }

  async #route(captured: Captured, signal: AbortSignal): Promise<Exclude<Route, LookupRoute>> {
    await discovered(captured, this.#deps.discovery, signal);
    const loadOf = (uid: WorkloadUid): number => this.#deps.openEndpoints.loadOf(uid);
    const route = resolveOutbound(captured, this.#deps.snapshots.current, this.#deps.random, { loadOf });
    return route.kind === 'lookup' ? lookUpRoute(route, captured.source, this.#deps, signal) : route;
  }

  async #follow(first: Exclude<Route, LookupRoute>, attempt: Attempt): Promise<Unopened | undefined> {
    if (first.kind === 'refused') throw refusalOf(first);
    using held = new DisposableStack();
    const trace = this.#newTrace();
    const dial = (route: DialledRoute, exclude: ReadonlySet<WorkloadUid>): Promise<Dialled> =>
      this.#dial(route, { ...attempt, exclude }, trace);
    const reached = await this.#tries.reach(first, attempt, dial, held);
    return await (reached.kind === 'tunnel' ? this.#tunnel(reached, attempt, trace) : this.#passThrough(reached, attempt));
  }

  async #tunnel({ route, outcome }: Dialled, attempt: Attempt, trace: Traceparent): Promise<Unopened | undefined> {
    const { captured, connection } = attempt;
    const report = this.#report(attempt, {
      source: { identity: spiffeId(captured.source) },
      destination: {
        address: route.peer,
        hboneAddress: authorityOf(route),
        workload: destinationOf(route, outcome),
        service: route.service,
        identity: identityOf(outcome),
      },
      trace: isSampled(trace) ? { traceId: trace.traceId, spanId: trace.spanId } : { traceId: trace.traceId },
    });
    switch (outcome.kind) {
      case 'open':
        return this.#copy(attempt, outcome.stream, report, 'far');
      case 'refused':
        report.complete(this.#endOfRefusal(route, outcome, connection.signal));
        return unopenedByStatus(outcome.status);
      case 'failed':
        report.complete(endOfFailure(outcome.flag, outcome.error, connection.signal));
        return unopenedByFlag(outcome.flag);
      default:
        return unreachable(outcome);
    }
  }

  /** Recorded by its share, if there is a collector; the peer then records its part too. */
  #newTrace(): Traceparent {
    const trace = newTraceparent(this.#deps.random);
    return this.#deps.spans.samples(trace.traceId) ? { ...trace, flags: 1 } : trace;
  }

  /** The tunnel, or the other way once that the peer asks to look for. */
  async #dial(drawn: DialledRoute, attempt: Attempt & Dialling, trace: Traceparent): Promise<Dialled> {
    const { captured } = attempt;
    const requestOf = (route: DialledRoute): ConnectRequest => requestFor(route, captured, trace);
    const dialled = await this.#dialer.dial(drawn, attempt, requestOf);
    // The far end of another network answers by what its own control plane says; this one’s has no other way to name.
    if (dialled.route.kind === 'nested' || !isMisdirected(dialled.outcome)) return dialled;
    const other = await this.#misdirected.another(dialled.route, attempt);
    return other === undefined ? dialled : this.#dialer.dial(other, attempt, requestOf);
  }

  /** 401 and 421 are policies of the destination; everything else says that the peer could not connect. */
  #endOfRefusal(route: DialledRoute, { status, at }: Refused, signal: AbortSignal): ConnectionEnd {
    const by = at === 'gateway' ? `the gateway of network "${route.destination?.network}" answered ` : '';
    const answer = `${by}http status: ${status} ${statusTexts[status] ?? ''}`.trimEnd();
    if (signal.aborted) return endOfFailure('-', answer, signal);
    if (status !== 421 || route.kind === 'nested') {
      return { flag: status === 401 || status === 421 ? 'DENY' : 'CONNECT', error: answer };
    }
    return { flag: 'DENY', error: `${answer}: ${explainMisdirected(route, this.#deps.snapshots.current)}` };
  }

  async #passThrough({ route, outcome }: Extract<Reached, { kind: 'plain' }>, attempt: Attempt): Promise<Unopened | undefined> {
    const destination = { address: route.target, workload: route.destination, service: route.service };
    const report = this.#report(attempt, { source: {}, destination });
    if (outcome.kind === 'open') return this.#copy(attempt, outcome.socket, report, undefined);
    report.complete(endOfFailure('CONNECT', outcome.error, attempt.connection.signal));
    return unopenedBy(outcome.error);
  }

  #report(attempt: Attempt, { source, ...known }: Joined): ConnectionReport {
    const { socket, asked, captured, startedMs } = attempt;
    const facts: ReportFacts = {
      direction: 'outbound',
      source: { address: captured.client, workload: captured.source, ...source },
      ...known,
    };
    // The accepted socket is the client's: what was read of it was sent towards the server.
    const bytes = (): Bytes => ({ received: socket.bytesRead, sent: socket.bytesWritten });
    return openReport(facts, startedMs, asked?.bytes ?? bytes, this.#deps);
  }

  async #copy(
    { socket, asked, connection }: Attempt,
    far: Duplex,
    report: ConnectionReport,
    tunnelSide: 'far' | undefined,
  ): Promise<undefined> {
    asked?.opened();
    connection.carries(socket, far);
    const end = await relay(socket, far, this.#deps, connection.signal, this.#relay);
    report.complete(endOfRelay(end, tunnelSide));
  }
}

/** Behind a gateway nobody knows who answers but who does: what it says of itself, and else what was drawn (section 2.8). */
function destinationOf(route: DialledRoute, outcome: DialOutcome): TelemetryWorkload | undefined {
  const told = route.kind === 'nested' && outcome.kind === 'open' ? workloadOfBaggage(outcome.baggage) : undefined;
  return told ?? route.destination;
}

/** A network's gateway is not whom the connection is for. */
function identityOf(outcome: DialOutcome): SpiffeId | undefined {
  if (outcome.kind === 'open') return outcome.peer;
  return outcome.kind === 'failed' || outcome.at === 'gateway' ? undefined : outcome.peer;
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
