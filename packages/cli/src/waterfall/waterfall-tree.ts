/** Which bar stands under which: spans by their parents, and connections of node proxies, which know a trace but no span, by time. */
import type { ReceivedSpan } from '../trace-receiver/span.ts';

/** One connection from a ztunnel's access log. */
export type ConnectionRecord = {
  readonly traceId: string;
  /** Such as `ztunnel node-a outbound`. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly durationMs: number;
  /** Why it did not end well. */
  readonly error?: string;
};

export type WaterfallRow = {
  readonly depth: number;
  readonly name: string;
  /** Who tells it: a service, or a node proxy. */
  readonly service: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly failed: boolean;
  /** A few words, such as `503 no-healthy-endpoint` or `retry 1`. */
  readonly note: string;
};

type Bar = Omit<WaterfallRow, 'depth'> & { readonly key: string; readonly parent: string | undefined };

/** The log tells whole milliseconds, and a proxy's clock is read a little before or after. */
const toleranceMs = 2;

/** Deeper rows are drawn at this depth: a name needs room. */
const maxDepth = 12;

/** Rows from top to bottom: parents before their children, the earlier before the later. */
export function waterfallRows(
  spans: readonly ReceivedSpan[],
  connections: readonly ConnectionRecord[] = [],
): readonly WaterfallRow[] {
  const spanBars = spans.map(barOfSpan);
  const bars = [...spanBars, ...connections.map((record, i) => barOfConnection(record, i, spanBars))];
  const known = new Set(bars.map(({ key }) => key));
  const children = Map.groupBy(bars, ({ parent }) => (parent !== undefined && known.has(parent) ? parent : undefined));
  const rows: WaterfallRow[] = [];
  // Spans whose parents form a circle are under no root; a picture without them is better than none.
  const place = (parent: string | undefined, depth: number): void => {
    const inOrder = [...(children.get(parent) ?? [])].sort((a, b) => a.startMs - b.startMs || b.durationMs - a.durationMs);
    for (const { key, parent: _, ...bar } of inOrder) {
      rows.push({ ...bar, depth: Math.min(depth, maxDepth) });
      place(key, depth + 1);
    }
  };
  place(undefined, 0);
  return rows;
}

function barOfSpan(span: ReceivedSpan): Bar {
  const { spanId, parentSpanId, name, service, startMs, durationMs, status } = span;
  return {
    key: spanId,
    parent: parentSpanId,
    name,
    service,
    startMs,
    durationMs,
    failed: status === 'error',
    note: noteOf(span),
  };
}

/** Under the shortest span that holds it. */
function barOfConnection(record: ConnectionRecord, index: number, spans: readonly Bar[]): Bar {
  const { name, startMs, durationMs, error } = record;
  const holders = spans
    .filter((span) => span.startMs - toleranceMs <= startMs)
    .filter((span) => span.startMs + span.durationMs + toleranceMs >= startMs + durationMs)
    .sort((a, b) => a.durationMs - b.durationMs);
  return {
    key: `connection ${index}`,
    parent: holders[0]?.key,
    name,
    service: '',
    startMs,
    durationMs,
    failed: error !== undefined,
    note: error ?? '',
  };
}

function noteOf({ attributes }: ReceivedSpan): string {
  const status = attributes['rpc.status_code'] ?? attributes['http.response.status_code'];
  const error = attributes['error.type'];
  const resend = attributes['http.request.resend_count'];
  return [
    status,
    // An error that is its status says nothing new.
    error === undefined || String(error) === String(status) ? undefined : error,
    attributes['clearmesh.response_flags'],
    resend === undefined ? undefined : `retry ${resend}`,
  ]
    .filter((part) => part !== undefined)
    .join(' ');
}
