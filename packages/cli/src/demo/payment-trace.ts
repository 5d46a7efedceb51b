/** One payment's trace, gathered: spans of services and waypoint, and the connections that node proxies logged. */
import type { ReceivedSpan } from '../trace-receiver/span.ts';
import type { LogLine } from '../up/log-lines.ts';
import { text } from './access-lines.ts';

/** A connection from a ztunnel's log, with the call that it carried. */
export type CarriedConnection = {
  /** Such as `ztunnel node-a outbound`. */
  readonly name: string;
  /** The call's span. */
  readonly parentSpanId: string;
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly durationMs: number;
  /** Why it did not end well. */
  readonly error?: string;
};

export type PaymentTrace = {
  readonly traceId: string;
  readonly spans: readonly ReceivedSpan[];
  readonly connections: readonly CarriedConnection[];
};

/** The end of a connection in the log of a node's proxy, which writes the line when the connection ends. */
export function carriedConnection(node: string, call: ReceivedSpan, { fields }: LogLine): CarriedConnection {
  const durationMs = Number.parseInt(text(fields, 'duration'), 10);
  const error = text(fields, 'error');
  return {
    name: `ztunnel ${node} ${text(fields, 'direction')}`,
    parentSpanId: call.spanId,
    startMs: Date.parse(text(fields, 'time')) - durationMs,
    durationMs,
    ...(error === '' ? {} : { error }),
  };
}

/** A connection that was kept for later requests ends with the trace here: the rest of its life is not the payment's. */
export function withinTrace(spans: readonly ReceivedSpan[], connection: CarriedConnection): CarriedConnection {
  const endMs = Math.max(...spans.map(({ startMs, durationMs }) => startMs + durationMs));
  const { name, startMs, durationMs } = connection;
  if (startMs + durationMs <= endMs) return connection;
  return { ...connection, name: `${name}, kept`, durationMs: Math.max(0, endMs - startMs) };
}

/** Everything as spans, for drawing: a proxy's log knows no span of its own for a client, but we know whose call it was. */
export function drawnSpans({ traceId, spans, connections }: PaymentTrace): readonly ReceivedSpan[] {
  const carried = connections.map(({ error, ...connection }, index): ReceivedSpan => ({
    ...connection,
    traceId,
    spanId: `connection ${index}`,
    kind: 'internal',
    status: error === undefined ? 'unset' : 'error',
    service: '',
    attributes: error === undefined ? {} : { 'error.type': error },
  }));
  return [...spans, ...carried];
}
