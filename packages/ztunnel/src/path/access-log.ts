/**
 * The lines of the access log (l4-contract section 11.2), as values: field names and their order are part of the
 * contract, since people and tools read them. Beside upstream's:
 *
 *   src.caller      on whose behalf a waypoint asked: whom policy saw. `src.identity` stays what mTLS proved, the
 *                   waypoint; without this field policy saw that. Inbound only.
 *   policy, rule    who denied the connection
 *   trace_id        the trace of the CONNECT's `traceparent`: the same at the client's proxy, which makes it up, and at
 *                   the server's. Behind a waypoint it is the trace of the request that opened the connection.
 *   span_id, parent_span_id
 *                   this connection as a span and the span that caused it; only where the caller records the trace
 *                   (sampled flag). The line is then the span's record: it ends at `time`, and began `duration` before.
 */
import type { LogFields, Logger } from '@clearmesh/shared/observe/log';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { PolicyKey } from '@clearmesh/shared/model/names';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';

export type Direction = 'inbound' | 'outbound';

/** What a line says of the workload at one end. */
export type AccessWorkload = { readonly name: string; readonly namespace: string; readonly clusterId: string };

export type AccessPeer = {
  readonly address: SocketAddress;
  readonly workload?: AccessWorkload | undefined;
  /** Proven by mTLS; absent for plaintext. */
  readonly identity?: SpiffeId | undefined;
};

/** The connection within a trace. */
export type AccessTrace = {
  /** 32 hexadecimal digits, as all ids here lower-case. */
  readonly traceId: string;
  /** 16 digits, as its parent; both absent for a trace that nobody records. */
  readonly spanId?: string;
  readonly parentSpanId?: string;
};

export type AccessFacts = {
  readonly direction: Direction;
  readonly source: AccessPeer & {
    /** On whose behalf the identity asked; absent for its own. */
    readonly caller?: SpiffeId | undefined;
  };
  readonly destination: AccessPeer & {
    /** The address asked for inside the tunnel, `ip:port`. */
    readonly hboneAddress?: string | undefined;
    /** Hostname of the service that was addressed. */
    readonly service?: string | undefined;
  };
  /** Absent for plain text, and for a peer that told none. */
  readonly trace?: AccessTrace | undefined;
};

export type AccessOutcome = {
  /** Seen from this proxy: to its peer in the mesh's direction, hence client → server when outbound. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly durationMs: number;
  /** Why it did not end well. */
  readonly error?: string | undefined;
  readonly policy?: PolicyKey | undefined;
  /** Index of the rule that matched. */
  readonly rule?: number | undefined;
};

/** The end of a connection: info, or error when it did not end well. */
export function logComplete(log: Logger, facts: AccessFacts, outcome: AccessOutcome): void {
  const fields: LogFields = {
    ...connectionFields(facts),
    bytes_sent: outcome.bytesSent,
    bytes_recv: outcome.bytesReceived,
    duration: `${Math.floor(outcome.durationMs)}ms`,
    trace_id: facts.trace?.traceId,
    span_id: facts.trace?.spanId,
    parent_span_id: facts.trace?.parentSpanId,
    error: outcome.error,
    policy: outcome.policy,
    rule: outcome.rule,
  };
  if (outcome.error === undefined) log.info('connection complete', fields);
  else log.error('connection complete', fields);
}

/** The start of a connection, at debug. */
export function logOpened(log: Logger, facts: AccessFacts): void {
  if (log.debugs) log.debug('connection opened', connectionFields(facts));
}

export type EarlyFailure = {
  readonly direction: Direction;
  readonly source?: SocketAddress | undefined;
  readonly destination?: SocketAddress | undefined;
  readonly error: string;
};

/** A connection that ended before it was known whom it joins. */
export function logFailed(log: Logger, failure: EarlyFailure): void {
  log.warn('connection failed', {
    'src.addr': failure.source === undefined ? undefined : formatSocketAddress(failure.source),
    'dst.addr': failure.destination === undefined ? undefined : formatSocketAddress(failure.destination),
    direction: failure.direction,
    error: failure.error,
  });
}

function connectionFields({ direction, source, destination }: AccessFacts): LogFields {
  return {
    'src.addr': formatSocketAddress(source.address),
    'src.workload': source.workload?.name,
    'src.namespace': source.workload?.namespace,
    'src.identity': source.identity,
    'src.caller': source.caller,
    'src.cluster': source.workload?.clusterId,
    'dst.addr': formatSocketAddress(destination.address),
    'dst.hbone_addr': destination.hboneAddress,
    'dst.service': destination.service,
    'dst.workload': destination.workload?.name,
    'dst.namespace': destination.workload?.namespace,
    'dst.identity': destination.identity,
    'dst.cluster': destination.workload?.clusterId,
    direction,
  };
}
