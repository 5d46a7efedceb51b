/**
 * What the outside learns of one connection: a metric series while it is open, and one log line at its end.
 * A report is opened when it is known whom the connection joins, and completed exactly once.
 */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { PolicyKey } from '@clearmesh/shared/model/names';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { DenialFacts } from '../admin/metrics.ts';
import type { Denial } from '../authorise/permit.ts';
import type { RelayEnd, RelaySide } from '@clearmesh/shared/net/relay';
import { ConnectionReset } from '@clearmesh/shared/tunnel/connection-reset';
import { PeerRevoked } from '@clearmesh/shared/tunnel/peer-revoked';
import type { LineChoice } from './access-selection.ts';
import { logComplete, logOpened } from './access-log.ts';
import type { AccessFacts, AccessTrace, Direction } from './access-log.ts';
import { ConnectionCut } from './connection-cut.ts';
import type { DenialReason, ResponseFlag } from './connection-cut.ts';
import type { FailureSink } from './last-failure.ts';

/** What telemetry says of a workload: of its own knowledge, or by the peer's baggage. */
export type TelemetryWorkload = Pick<
  Workload,
  'name' | 'namespace' | 'clusterId' | 'workloadName' | 'canonicalName' | 'canonicalRevision' | 'locality'
>;

export type TelemetryPeer = {
  readonly address: SocketAddress;
  readonly workload?: TelemetryWorkload | undefined;
  /** Proven by mTLS; absent for plaintext. */
  readonly identity?: SpiffeId | undefined;
};

export type ReportFacts = {
  readonly direction: Direction;
  readonly source: TelemetryPeer & {
    /** On whose behalf the identity asked, as its waypoint told. */
    readonly caller?: SpiffeId | undefined;
  };
  readonly destination: TelemetryPeer & { readonly hboneAddress?: string | undefined; readonly service?: Service | undefined };
  readonly trace?: AccessTrace | undefined;
};

/** Bytes so far, in the sense of the metrics: received went from client to server. */
export type Bytes = { readonly received: number; readonly sent: number };

/** How a connection ended. */
export type ConnectionEnd = {
  readonly flag: ResponseFlag;
  readonly error?: string | undefined;
  /** Why it was denied, if a decision of ours ended it. */
  readonly denial?: DenialReason | undefined;
  readonly policy?: PolicyKey | undefined;
  readonly rule?: number | undefined;
};

/** The series of one open connection. */
export interface ConnectionSeries {
  /** Ends the series with the final byte counts; a flag other than `-` counts it as failed too. */
  close(bytes: Bytes, flag: ResponseFlag): void;
}

/** The TCP metrics of l4-contract section 11.1. */
export interface ConnectionMetrics {
  /** Counts the connection as opened; `bytes` is read whenever the metrics are. */
  open(facts: ReportFacts, bytes: () => Bytes): ConnectionSeries;
}

export type ReportDeps = {
  readonly metrics: { readonly tcp: ConnectionMetrics; denied(facts: DenialFacts): void };
  /** The access scope. */
  readonly log: Logger;
  readonly lines: LineChoice;
  readonly failures: FailureSink;
  readonly clock: Clock;
};

/** @param startedMs the monotonic time of the accept */
export function openReport(facts: ReportFacts, startedMs: number, bytes: () => Bytes, deps: ReportDeps): ConnectionReport {
  const access = accessFacts(facts);
  logOpened(deps.log, access);
  return new ConnectionReport({ access, startedMs, bytes, series: deps.metrics.tcp.open(facts, bytes) }, deps);
}

type Opened = {
  readonly access: AccessFacts;
  readonly startedMs: number;
  readonly bytes: () => Bytes;
  readonly series: ConnectionSeries;
};

/** One open connection as reported. */
export class ConnectionReport {
  readonly #opened: Opened;
  readonly #deps: ReportDeps;

  constructor(opened: Opened, deps: ReportDeps) {
    this.#opened = opened;
    this.#deps = deps;
  }

  /** The end, once. */
  complete(end: ConnectionEnd): void {
    const { access, bytes, series } = this.#opened;
    const { metrics, failures } = this.#deps;
    const total = bytes();
    series.close(total, end.flag);
    if (end.error !== undefined) failures.recvFailure({ direction: access.direction, error: end.error });
    if (end.denial !== undefined)
      metrics.denied({ direction: access.direction, reason: end.denial, policy: end.policy, flag: end.flag });
    if (this.#isLogged(end)) this.#log(end, total);
  }

  #isLogged({ flag, error, denial }: ConnectionEnd): boolean {
    const { direction, source, destination, trace } = this.#opened.access;
    return this.#deps.lines.isWanted({
      result: denial !== undefined || flag === 'DENY' ? 'denied' : error === undefined ? 'ok' : 'failed',
      direction,
      flag,
      namespaces: [source.workload?.namespace, destination.workload?.namespace],
      traceId: trace?.traceId,
      isSpan: trace?.spanId !== undefined,
    });
  }

  #log(end: ConnectionEnd, total: Bytes): void {
    const { access, startedMs } = this.#opened;
    const { log, clock } = this.#deps;
    // The log counts from this proxy's point of view: the client's bytes are sent when outbound, received when inbound.
    const [bytesSent, bytesReceived] =
      access.direction === 'outbound' ? [total.received, total.sent] : [total.sent, total.received];
    const durationMs = clock.monotonicMs() - startedMs;
    logComplete(log, access, { bytesSent, bytesReceived, durationMs, error: end.error, policy: end.policy, rule: end.rule });
  }
}

/** A reset by an application is an ordinary way to end; one inside the tunnel is worth an error. */
export function endOfRelay(end: RelayEnd, tunnelSide: RelaySide | undefined): ConnectionEnd {
  switch (end.kind) {
    case 'complete':
      return { flag: '-' };
    case 'cut':
      return endOfCut(end.reason);
    case 'broken':
      if (end.error instanceof PeerRevoked) return { flag: 'CERT_REVOKED', error: end.error.message };
      return (end.side === tunnelSide && !(end.error instanceof ConnectionReset)) || !isReset(end.error)
        ? { flag: '-', error: end.error.message }
        : { flag: '-' };
    default:
      return unreachable(end);
  }
}

/** The end of a connection that policy never let begin. */
export function endOfDenial({ reason, explanation, policy, rule }: Denial): ConnectionEnd {
  return { flag: 'DENY', denial: reason, error: `connection closed due to policy rejection: ${explanation}`, policy, rule };
}

/** The end of an attempt that failed, or that the proxy cut meanwhile. */
export function endOfFailure(flag: ResponseFlag, thrown: unknown, signal: AbortSignal): ConnectionEnd {
  if (signal.aborted) return endOfCut(signal.reason);
  return { flag, error: thrown instanceof Error ? thrown.message : String(thrown) };
}

function endOfCut(reason: unknown): ConnectionEnd {
  if (reason instanceof ConnectionCut) {
    const { flag, message: error, denial, policy, rule } = reason;
    return { flag, error, denial, policy, rule };
  }
  return { flag: '-', error: reason instanceof Error ? reason.message : String(reason) };
}

/** Section 2.5 counts these as an end of the stream. */
function isReset(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

function accessFacts({ destination, ...facts }: ReportFacts): AccessFacts {
  return { ...facts, destination: { ...destination, service: destination.service?.hostname } };
}
