/**
 * Connections through tunnels as spans: one of kind CLIENT at the source's proxy, and below it one of kind SERVER at the
 * destination's, joined by the `traceparent` of the CONNECT.
 *
 * S1  A trace that begins here is recorded by its share; one that a peer began is recorded if it says so, for it has begun.
 * S2  Without a collector nothing is recorded and no trace begins: OpenTelemetry is not even loaded.
 */
import type { EndedSpan } from '@clearmesh/shared/tracing/span-export';
import type { AccessFacts } from './access-log.ts';
import type { ResponseFlag } from './connection-cut.ts';

export interface SpanSink {
  /** S1: whether a trace that begins here is recorded. */
  samples(traceId: string): boolean;
  record(span: EndedSpan): void;
}

/** S2. */
export const noSpans: SpanSink = { samples: () => false, record: () => {} };

/** How a connection went, as its span tells it. */
export type SpanFacts = {
  readonly access: AccessFacts;
  readonly startMs: number;
  readonly endMs: number;
  /** From client to server, and back. */
  readonly received: number;
  readonly sent: number;
  readonly flag: ResponseFlag;
  readonly error?: string | undefined;
  readonly policy?: string | undefined;
};

/** Share of the traces, by their id: every proxy with this share comes to the same. */
export function sampledShare(ratio: number): (traceId: string) => boolean {
  return (traceId) => Number.parseInt(traceId.slice(-8), 16) < ratio * 0x1_0000_0000;
}

/** `undefined` for a connection that nobody records. */
export function spanOf(facts: SpanFacts): EndedSpan | undefined {
  const { access, startMs, endMs, error } = facts;
  const { trace, destination, direction } = access;
  if (trace?.spanId === undefined) return undefined;
  return {
    traceId: trace.traceId,
    spanId: trace.spanId,
    parentSpanId: trace.parentSpanId,
    name: `connect ${destination.service ?? destination.workload?.name ?? 'tunnel'}`,
    kind: direction === 'outbound' ? 'client' : 'server',
    startMs,
    endMs,
    attributes: attributesOf(facts),
    error,
  };
}

/** The first ones are OpenTelemetry's (semantic conventions 1.45, network and server); the others say what metrics say. */
function attributesOf({ access, received, sent, flag, policy }: SpanFacts): EndedSpan['attributes'] {
  const { source, destination } = access;
  return {
    'network.transport': 'tcp',
    'client.address': source.address.ip,
    'client.port': source.address.port,
    'server.address': destination.service ?? destination.address.ip,
    'network.peer.address': destination.address.ip,
    'network.peer.port': destination.address.port,
    'error.type': flag === '-' ? undefined : flag,
    'mesh.source.workload': source.workload?.name,
    'mesh.source.namespace': source.workload?.namespace,
    'mesh.source.principal': source.identity,
    'mesh.destination.authority': destination.hboneAddress,
    'mesh.destination.workload': destination.workload?.name,
    'mesh.destination.namespace': destination.workload?.namespace,
    'mesh.destination.principal': destination.identity,
    'mesh.bytes.received': received,
    'mesh.bytes.sent': sent,
    'mesh.policy': policy,
  };
}
