/** The end of an exchange, told to metrics, access log and trace; each exactly once. */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Snapshot, SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import type { TelemetryWorkload } from '@clearmesh/shared/wire/peer-baggage';
import type { Failure } from '../exchange/failure.ts';
import type { Caller } from '../exchange/request-facts.ts';
import type { AccessPolicy } from '../telemetry/access/access-line.ts';
import type { AccessLog } from '../telemetry/access/access-log.ts';
import type { WaypointMetrics } from '../telemetry/metrics/waypoint-metrics.ts';
import type { Exchange, ExchangeEnd } from './exchange.ts';

export type ReportDeps = {
  readonly snapshots: SnapshotSource;
  readonly network: string;
  readonly metrics: Pick<WaypointMetrics, 'requests' | 'denied'>;
  readonly accessLog: Pick<AccessLog, 'recvEnded'>;
  readonly clock: Clock;
};

function sourceOf({ elsewhere, address }: Caller, snapshot: Snapshot, network: string): TelemetryWorkload | undefined {
  return elsewhere === undefined ? snapshot.workloadByIp(network, address.ip) : elsewhere.workload;
}

export function reportEnd(exchange: Exchange, ended: ExchangeEnd, deps: ReportDeps): void {
  const end = ended.flag === '-' && exchange.flag !== undefined ? { ...ended, flag: exchange.flag } : ended;
  const { facts, trace, endpoint } = exchange;
  const durationMs = deps.clock.monotonicMs() - facts.startedMs;
  const snapshot = deps.snapshots.current;
  deps.metrics.requests.recvEnded({
    source: sourceOf(facts.caller, snapshot, deps.network),
    sourceIdentity: facts.caller.identity,
    service: facts.called,
    destination: endpoint === undefined ? undefined : snapshot.workload(endpoint.workload),
    destinationIdentity: endpoint?.identity,
    grpc: facts.grpc,
    status: end.status,
    grpcStatus: end.grpcStatus,
    flag: end.flag,
    durationMs,
    requestBytes: exchange.bytesIn,
    responseBytes: exchange.bytesOut,
  });
  const { failure } = end;
  if (failure !== undefined && exchange.attempts === 0)
    deps.metrics.denied({ reason: failure.kind, policy: failure.policy, flag: end.flag });
  deps.accessLog.recvEnded({
    facts,
    traceId: trace.traceId,
    route: exchange.route,
    status: end.status,
    grpcStatus: end.grpcStatus,
    flag: end.flag,
    details: failure?.detail,
    attempts: exchange.attempts,
    upstream: endpoint,
    bytesIn: exchange.bytesIn,
    bytesOut: exchange.bytesOut,
    durations: { total: durationMs, upstream: exchange.upstreamMs, authz: exchange.authzMs },
    policy: exchange.policy ?? policyOf(failure),
    rateLimit: exchange.rateLimit,
    faultId: exchange.faultId,
    outcome: end.outcome,
  });
  trace.end({
    status: end.status === 0 ? undefined : end.status,
    grpcStatus: end.grpcStatus,
    failure: failure?.kind,
    route: exchange.route,
    flag: end.flag,
    policy: failure?.policy,
  });
}

/** What refused before or after the policies did: tokens, limits. */
function policyOf(failure: Failure | undefined): AccessPolicy | undefined {
  return failure?.policy === undefined ? undefined : { name: failure.policy, rule: failure.rule };
}
