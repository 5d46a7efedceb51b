/**
 * One CONNECT from a peer, from its headers to its end (l4-contract section 8.1).
 *
 *   CONNECT ─▶ method, authority ─ 400
 *           ─▶ own workload known ─ 503
 *           ─▶ target resolved ─ 400 | 503
 *           ─▶ original caller, if the own waypoint names one ─ 400 | 421
 *           ─▶ registered, then authorised ─ 401 | 421
 *           ─▶ application connected ─ 503
 *           ─▶ 200, copy until both sides ended or a policy denies it
 *
 * I1  The answer is sent at most once, and 200 only with the application's connection in hand.
 * I2  Policy sees the TCP peer and the identity of its certificate; headers are telemetry and never evidence. The one
 *     exception is the caller that the destination's own waypoint names: its certificate is what makes it believed.
 * I3  A connection is watched from before its check until its end, so that a later policy can end it.
 * I4  421 says that the way is shut, and 401 that whoever asks is denied: only a peer that goes around a waypoint, or is
 *     one no more, may find another way (misdirected.ts).
 */
import type net from 'node:net';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Workload } from '@clearmesh/shared/model/workload';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { parseAuthority } from '@clearmesh/shared/wire/authority';
import type { Authority } from '@clearmesh/shared/wire/authority';
import { formatBaggage } from '@clearmesh/shared/wire/baggage';
import { parseForwarded } from '@clearmesh/shared/wire/forwarded';
import { isSampled, parseTraceparent } from '@clearmesh/shared/wire/traceparent';
import type { OriginalCaller } from '../authorise/original-caller.ts';
import type { Denial, Permit } from '../authorise/permit.ts';
import { connectToApplication } from '../deliver/application.ts';
import type { PodNetwork } from '../deliver/pod-network.ts';
import { relay } from '@clearmesh/shared/net/relay';
import type { OwnPorts } from '../resolve/illegal-ports.ts';
import { resolveInbound } from '../resolve/inbound.ts';
import type { InboundTarget } from '../resolve/inbound.ts';
import type { PodName } from '@clearmesh/shared/snapshot/snapshot';
import type { AcceptedPeer } from '@clearmesh/shared/tunnel/acceptor';
import type { IncomingConnect, RefusalStatus } from '@clearmesh/shared/tunnel/engine';
import type { AccessTrace } from './access-log.ts';
import { ConnectionCut } from './connection-cut.ts';
import { admit } from './admission.ts';
import type { AdmissionDeps } from './admission.ts';
import { CallerClaims } from './caller-claims.ts';
import type { Connections, OpenConnection } from './connections.ts';
import { endOfDenial, endOfFailure, endOfRelay, openReport } from './connection-report.ts';
import type { Bytes, ConnectionReport, ReportDeps } from './connection-report.ts';
import { recordEarlyFailure } from './early-failures.ts';
import type { IgnoredCallers } from './ignored-callers.ts';
import { guardedWorkload } from './own-workload.ts';
import type { WorkloadSource } from './own-workload.ts';
import { peerWorkload } from './peer-workload.ts';
import { Refusal, badRequest, refusalOf } from './refusal.ts';
import { SnapshotWaits } from '@clearmesh/shared/snapshot/snapshot-waits';
import type { SnapshotWaitsOptions } from '@clearmesh/shared/snapshot/snapshot-waits';

export type InboundOptions = OwnPorts & {
  readonly pod: PodName;
  /** The proxy's own network; "" where the mesh has one only. */
  readonly network: string;
  /** Tell the peer whom it reached, for its telemetry. @default true */
  readonly responseBaggage: boolean;
  /** Reach an application behind a PROXY header over loopback. @default true */
  readonly localhostAppTunnel?: boolean;
  /** Either side learns that the other one was reset. @default false */
  readonly resets?: boolean;
  /** The only ports that a tunnel reaches. @default all but the proxy's */
  readonly admittedPorts?: ReadonlySet<number>;
  /** For CONNECTs of a peer that is not known as the pod's waypoint yet. */
  readonly waits?: SnapshotWaitsOptions;
};

export type InboundDeps = ReportDeps &
  AdmissionDeps & {
    readonly snapshots: WorkloadSource;
    readonly connections: Connections;
    readonly network: PodNetwork;
    readonly ignoredCallers: IgnoredCallers;
    readonly random: Random;
  };

/** The request, who sent it, and what is known of it by and by. */
type Attempt = {
  readonly incoming: IncomingConnect;
  readonly peer: AcceptedPeer;
  readonly connection: OpenConnection;
  readonly startedMs: number;
};
type Joined = {
  readonly workload: Workload;
  readonly target: InboundTarget;
};
/** With what is known of on whose behalf, if the peer says so. */
type Claimed = Joined & { readonly claimed?: OriginalCaller };
type Resolved = Attempt & Joined & { readonly caller: SpiffeId | undefined };

/** Serves the CONNECTs of one pod's HBONE listener. */
export class InboundPath {
  readonly #options: InboundOptions;
  readonly #deps: InboundDeps;
  readonly #claims: CallerClaims;

  constructor(options: InboundOptions, deps: InboundDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#claims = new CallerClaims(options, { ...deps, waits: new SnapshotWaits(options.waits ?? {}, deps) });
  }

  /** Answers one CONNECT and carries it to its end; never rejects. */
  async carry(incoming: IncomingConnect, peer: AcceptedPeer): Promise<void> {
    const startedMs = this.#deps.clock.monotonicMs();
    using connection = this.#deps.connections.open('inbound', peer.remote);
    try {
      await this.#admit(await this.#resolve({ incoming, peer, connection, startedMs }));
    } catch (thrown) {
      incoming.refuse(thrown instanceof Refusal ? thrown.status : 503);
      recordEarlyFailure({ direction: 'inbound', source: peer.remote, destination: peer.local, thrown }, this.#deps);
    }
  }

  /** Steps 2 to 7: everything that may fail before it is known whom the connection joins. */
  async #resolve(attempt: Attempt): Promise<Resolved> {
    const { incoming, peer } = attempt;
    if (incoming.method !== 'CONNECT') throw badRequest(`expected method CONNECT, got ${shown(incoming.method)}`);
    const authority = parseAuthority(incoming.authority);
    if (authority === undefined) throw badRequest(`no valid authority pseudo header: ${shown(incoming.authority)}`);
    let joined = await this.#join(attempt, authority);
    if (joined.claimed?.kind === 'ignored') {
      await this.#awaitWaypoint(attempt);
      joined = await this.#join(attempt, authority);
    }
    const { claimed, workload, target } = joined;
    const header = incoming.headers.caller;
    if (claimed === undefined || header === undefined) return { ...attempt, workload, target, caller: undefined };
    const claim = { header, peer: peer.identity, workload };
    return { ...attempt, workload, target, caller: this.#claims.settle(claimed, claim, target.address.port) };
  }

  /** Whom the connection joins, as it is known now. */
  async #join({ incoming, peer, connection }: Attempt, authority: Authority): Promise<Claimed> {
    const workload = await guardedWorkload(this.#deps.snapshots, this.#options.pod, connection.signal);
    const { forwarded, caller: header } = incoming.headers;
    const forwardedHost = parseForwarded(forwarded ?? '').host;
    const facts = { authority, accepted: peer.local, workload, ...(forwardedHost === undefined ? {} : { forwardedHost }) };
    const target = resolveInbound(facts, this.#deps.snapshots.current, this.#options);
    if (target.kind === 'rejected') throw refusalOf(target);
    if (header === undefined) return { workload, target };
    return { workload, target, claimed: this.#claims.recvClaim({ header, peer: peer.identity, workload }) };
  }

  /** K1 of caller-claims.ts; a peer that gives up meanwhile ends the attempt. */
  async #awaitWaypoint({ incoming, peer, connection }: Attempt): Promise<void> {
    await this.#claims.awaitWaypoint(peer.identity, AbortSignal.any([connection.signal, incoming.gone]));
    if (incoming.gone.aborted) connection.cut(peerGone());
    connection.signal.throwIfAborted();
  }

  /** Step 8. */
  async #admit(attempt: Resolved): Promise<void> {
    const { incoming, peer, connection, workload, target, caller } = attempt;
    let application: net.Socket | undefined;
    const report = this.#report(attempt, () => ({ received: application?.bytesWritten ?? 0, sent: application?.bytesRead ?? 0 }));
    const about = { sourceIp: peer.remote.ip, identity: peer.identity, destination: target.address, workload };
    const facts = caller === undefined ? about : { ...about, caller };
    const admitted = admit(facts, connection, this.#deps);
    if (admitted.kind === 'denied') {
      incoming.refuse(statusOfDenial(admitted));
      return report.complete(endOfDenial(admitted));
    }
    try {
      application = await this.#connect(attempt, admitted.permit);
      await this.#copy(attempt, application, report);
    } catch (thrown) {
      incoming.refuse(statusOf(connection.signal.reason));
      application?.destroy();
      report.complete(endOfFailure('CONNECT', thrown, connection.signal));
    } finally {
      admitted.release();
    }
  }

  /** Step 9; a peer that gives up meanwhile stops the attempt. */
  async #connect({ incoming, peer, connection, target }: Resolved, permit: Permit): Promise<net.Socket> {
    const recvGone = (): void => connection.cut(peerGone());
    const { localhost, proxyProtocol, proxyDestination: destination } = target;
    const header = proxyProtocol && destination !== undefined ? { proxyHeader: { source: peer.remote, destination } } : {};
    incoming.gone.addEventListener('abort', recvGone, { once: true });
    try {
      if (incoming.gone.aborted) recvGone();
      return await connectToApplication(permit, { localhost, ...header }, this.#deps.network, connection.signal);
    } finally {
      incoming.gone.removeEventListener('abort', recvGone);
    }
  }

  /** Step 10. */
  async #copy({ incoming, connection, workload }: Resolved, application: net.Socket, report: ConnectionReport): Promise<void> {
    const stream = incoming.accept(this.#options.responseBaggage ? { baggage: formatBaggage(workload) } : {});
    connection.carries(stream, application);
    const { resets = false } = this.#options;
    const end = await relay(stream, application, this.#deps, connection.signal, { resets });
    report.complete(endOfRelay(end, 'near'));
  }

  #report(attempt: Resolved, bytes: () => Bytes): ConnectionReport {
    const { incoming, peer, connection, startedMs, workload, target, caller } = attempt;
    const hboneAddress = formatSocketAddress(target.address);
    connection.joined({ originalDst: null, actualDst: hboneAddress, protocol: 'HBONE' });
    const source = peerWorkload(this.#deps.snapshots.current, this.#options.network, peer.remote.ip, incoming.headers);
    return openReport(
      {
        direction: 'inbound',
        source: { address: peer.remote, workload: source, identity: peer.identity, caller },
        destination: { address: peer.local, hboneAddress, workload, service: target.service, identity: spiffeId(workload) },
        trace: traceOf(incoming.headers.traceparent, this.#deps.random),
      },
      startedMs,
      bytes,
      this.#deps,
    );
  }
}

/** The connection as a span of its own below the peer's, if that one is recorded. */
function traceOf(traceparent: string | undefined, random: Random): AccessTrace | undefined {
  const parent = traceparent === undefined ? undefined : parseTraceparent(traceparent);
  if (parent === undefined) return undefined;
  const { traceId, spanId: parentSpanId } = parent;
  return isSampled(parent) ? { traceId, spanId: random.hex(8), parentSpanId } : { traceId };
}

/** Headers may have 64 KiB, and each request is worth a line. */
function shown(text: string): string {
  return text.slice(0, 200);
}

function peerGone(): ConnectionCut {
  return new ConnectionCut({ flag: '-', message: 'the peer gave up before it was answered' });
}

/** I4. */
function statusOfDenial({ reason }: Denial): RefusalStatus {
  return reason === 'waypoint-bypass' ? 421 : 401;
}

/** A policy that changed while the application was being dialled still answers as a policy does. */
function statusOf(reason: unknown): 401 | 503 {
  return reason instanceof ConnectionCut && reason.flag === 'DENY' ? 401 : 503;
}
