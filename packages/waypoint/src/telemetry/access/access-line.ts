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
import { remembered } from '@clearmesh/shared/lifecycle/remembered';
import type { CalledService, Caller, RequestFacts } from '../../exchange/request-facts.ts';
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

/**
 * The line, with its end. Every request has one, so it is joined from pieces that stay the same for a connection, a service
 * or an endpoint: a fraction of what `JSON.stringify` takes for the whole, with which the tests compare it.
 */
export function accessLine(entry: AccessEntry): string {
  const { facts, upstream, durations, policy } = entry;
  const caller = callerPieces(facts.caller);
  const endpoint = upstream === undefined ? nowhere : endpointPieces(upstream);
  return (
    `{"ts":"${timestamp(facts.receivedAtMs)}","scope":"access","request_id":${quoted(facts.id)}` +
    text('decision_id', entry.decisionId) +
    `,"trace_id":${quoted(entry.traceId)}` +
    caller.source +
    endpoint.principal +
    calledPiece(facts.called) +
    `,"protocol":"${facts.grpc ? 'gRPC' : facts.protocol}"` +
    text('method', facts.method.slice(0, longestMethod)) +
    text('authority', withoutUser(facts.authority).slice(0, longestAuthority)) +
    text('path', scrubPath(facts.path).slice(0, longestPath)) +
    text('route', entry.route) +
    `,"status":${entry.status}` +
    number('grpc_status', entry.grpcStatus) +
    `,"flags":"${entry.flag}"` +
    text('details', entry.details?.slice(0, longestDetails)) +
    `,"attempts":${entry.attempts}` +
    endpoint.address +
    `,"bytes_in":${entry.bytesIn},"bytes_out":${entry.bytesOut}` +
    `,"durations":{"total":${microseconds(durations.total)}` +
    milliseconds('upstream', durations.upstream) +
    milliseconds('authz', durations.authz) +
    milliseconds('queue', durations.queue) +
    `}${caller.tls}` +
    (policy === undefined ? '' : `,"policy":${policyObject(policy)}`) +
    text('rl', entry.rateLimit) +
    text('fault_id', entry.faultId) +
    `,"outcome":"${entry.outcome}"}\n`
  );
}

const callerPieces = remembered(({ identity, client, address, tls }: Caller) => ({
  source: text('src_principal', identity) + text('src_addr', formatSocketAddress(client ?? address)),
  tls: `,"tls":${JSON.stringify({ ver: tls.protocol, cipher: tls.cipher, group: tls.group })}`,
}));

const calledPiece = remembered(({ key, port }: CalledService) => `${text('dst_service', key)},"dst_port":${port}`);

const endpointPieces = remembered(({ identity, name, address }: UpstreamEndpoint) => ({
  principal: text('dst_principal', identity),
  address: text('upstream', name) + text('upstream_addr', formatSocketAddress(address)),
}));

const nowhere = { principal: '', address: '' };

function policyObject({ name, rule, bundleRevision, cached, shadow }: AccessPolicy): string {
  return JSON.stringify({ name, rule, bundle_rev: bundleRevision, cached, shadow });
}

/** RFC 9110 section 4.2.4: what stands before the `@` may be a password. */
function withoutUser(authority: string): string {
  return authority.slice(authority.lastIndexOf('@') + 1);
}

function text(name: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${name}":${quoted(value)}`;
}

function number(name: string, value: number | undefined): string {
  return value === undefined ? '' : `,"${name}":${value}`;
}

function milliseconds(name: string, value: number | undefined): string {
  return value === undefined ? '' : `,"${name}":${microseconds(value)}`;
}

/** In milliseconds; more than microseconds is noise. */
function microseconds(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

/** Characters that stand for themselves in JSON (RFC 8259 section 7), of ASCII. */
const plain = /^[ !#-[\]-~]*$/;

function quoted(value: string): string {
  return plain.test(value) ? `"${value}"` : JSON.stringify(value);
}

let lastTimestamp = { ms: 0, text: new Date(0).toISOString() };

/** Many requests arrive within one millisecond. */
function timestamp(ms: number): string {
  if (ms !== lastTimestamp.ms) lastTimestamp = { ms, text: new Date(ms).toISOString() };
  return lastTimestamp.text;
}
