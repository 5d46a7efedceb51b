/**
 * One JSON line a request (l7-and-resilience B15), as a pure function. The names of the fields and their order are part of
 * the contract, since people and tools read them.
 *
 * A1  No header but the authority is ever in it: no Authorization, no cookie. No body, no query; paths are scrubbed.
 * A2  One line, whatever the request holds: JSON escapes what would break it.
 * A3  What the caller chose is cut to a length.
 */
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Outcome, ResponseFlag } from '../../exchange/failure.ts';
import type { RequestFacts } from '../../exchange/request-facts.ts';
import type { UpstreamEndpoint } from '../../forward/upstream.ts';
import { scrubPath } from '../scrub-path.ts';

export type AccessPolicy = {
  /** Which object decided, such as `OpaPolicy ledger/four-eyes`. */
  readonly name?: string | undefined;
  readonly rule?: string | undefined;
  /** Of the OPA bundle. */
  readonly bundleRevision?: string | undefined;
  readonly cached?: boolean | undefined;
  /** What a policy in shadow mode would have decided. */
  readonly shadow?: string | undefined;
};

export type AccessEntry = {
  readonly facts: RequestFacts;
  readonly traceId: string;
  /** Of the decision log; absent where no OPA policy was asked. */
  readonly decisionId?: string | undefined;
  /** Name of the route that matched. */
  readonly route?: string | undefined;
  /** 0: no answer. */
  readonly status: number;
  readonly grpcStatus?: number | undefined;
  readonly flag: ResponseFlag;
  /** One sentence of the failure. */
  readonly details?: string | undefined;
  readonly attempts: number;
  /** The endpoint asked last. */
  readonly upstream?: UpstreamEndpoint | undefined;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Milliseconds; absent where the request did not come so far. */
  readonly durations: {
    readonly total: number;
    readonly upstream?: number | undefined;
    readonly authz?: number | undefined;
    readonly queue?: number | undefined;
  };
  readonly policy?: AccessPolicy | undefined;
  /** Rate limit that decided, such as `RateLimitPolicy ledger/callers#per-caller`. */
  readonly rateLimit?: string | undefined;
  readonly faultId?: string | undefined;
  /** What a caller may rely on (C10). */
  readonly outcome: Outcome;
};

const longestMethod = 32;
const longestAuthority = 255;
const longestPath = 1_024;
const longestDetails = 512;

/** The line, with its end. */
export function accessLine(entry: AccessEntry): string {
  const { facts, upstream, policy } = entry;
  const { tls } = facts.caller;
  return `${JSON.stringify({
    ts: new Date(facts.receivedAtMs).toISOString(),
    scope: 'access',
    request_id: facts.id,
    decision_id: entry.decisionId,
    trace_id: entry.traceId,
    src_principal: facts.caller.identity,
    src_addr: formatSocketAddress(facts.caller.client ?? facts.caller.address),
    dst_principal: upstream?.identity,
    dst_service: facts.called.key,
    dst_port: facts.called.port,
    protocol: facts.grpc ? 'gRPC' : facts.protocol,
    method: facts.method.slice(0, longestMethod),
    authority: facts.authority.slice(facts.authority.lastIndexOf('@') + 1).slice(0, longestAuthority),
    path: scrubPath(facts.path).slice(0, longestPath),
    route: entry.route,
    status: entry.status,
    grpc_status: entry.grpcStatus,
    flags: entry.flag,
    details: entry.details?.slice(0, longestDetails),
    attempts: entry.attempts,
    upstream: upstream?.name,
    upstream_addr: upstream === undefined ? undefined : formatSocketAddress(upstream.address),
    bytes_in: entry.bytesIn,
    bytes_out: entry.bytesOut,
    durations: {
      total: milliseconds(entry.durations.total),
      upstream: milliseconds(entry.durations.upstream),
      authz: milliseconds(entry.durations.authz),
      queue: milliseconds(entry.durations.queue),
    },
    tls: { ver: tls.protocol, cipher: tls.cipher, group: tls.group },
    policy: policy && {
      name: policy.name,
      rule: policy.rule,
      bundle_rev: policy.bundleRevision,
      cached: policy.cached,
      shadow: policy.shadow,
    },
    rl: entry.rateLimit,
    fault_id: entry.faultId,
    outcome: entry.outcome,
  })}\n`;
}

/** Microseconds are enough. */
function milliseconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 1_000) / 1_000;
}
