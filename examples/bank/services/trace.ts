/**
 * Spans of this service (W3C Trace Context, OTLP over HTTP in JSON): made for every request, and sent in batches to
 * OTEL_EXPORTER_OTLP_ENDPOINT. Without it nothing is recorded; the context is passed on all the same.
 */
import { randomBytes } from 'node:crypto';
import http from 'node:http';

export type SpanContext = { readonly traceId: string; readonly spanId: string; readonly sampled: boolean };
type Attributes = Readonly<Record<string, string | number>>;

export type Span = SpanContext & {
  /** The header for whoever is called on behalf of this span. */
  readonly traceparent: string;
  /** Ends it, once. */
  readonly end: (attributes?: Attributes, failed?: boolean) => void;
};

const endpoint = process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '';
const service = process.env['OTEL_SERVICE_NAME'] ?? (process.env['HOSTNAME'] ?? 'service').replace(/-\d+$/, '');
const kinds = { server: 2, client: 3 } as const;
const batchMs = 100;
/** Spans kept for the next batch; more are dropped. */
const batchLimit = 512;

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
let batch: object[] = [];

/** The context of a `traceparent`; `undefined` for none, or one that is malformed. */
export function contextOf(header: string | readonly string[] | undefined): SpanContext | undefined {
  const [, traceId, spanId, flags] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(typeof header === 'string' ? header : '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined || /^0+$/.test(traceId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** A child of `parent`, or the root of a new trace. */
export function startSpan(name: string, kind: keyof typeof kinds, parent?: SpanContext): Span {
  const traceId = parent?.traceId ?? randomBytes(16).toString('hex');
  const spanId = randomBytes(8).toString('hex');
  const sampled = endpoint !== '' && (parent?.sampled ?? true);
  const start = now();
  let ended = false;
  const end: Span['end'] = (attributes = {}, failed = false) => {
    if (ended || !sampled) return;
    ended = true;
    record({
      traceId,
      spanId,
      ...(parent === undefined ? {} : { parentSpanId: parent.spanId }),
      name,
      kind: kinds[kind],
      startTimeUnixNano: start,
      endTimeUnixNano: now(),
      attributes: Object.entries(attributes).map(([key, value]) => ({ key, value: valueOf(value) })),
      status: failed ? { code: 2 } : {},
    });
  };
  return { traceId, spanId, sampled, traceparent: `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`, end };
}

/** Nanoseconds since the epoch, to the microsecond. */
function now(): string {
  return `${Math.round((performance.timeOrigin + performance.now()) * 1000)}000`;
}

function valueOf(value: string | number): object {
  return typeof value === 'number' ? { intValue: String(value) } : { stringValue: value };
}

function record(span: object): void {
  if (batch.length === 0) setTimeout(send, batchMs);
  if (batch.length < batchLimit) batch.push(span);
}

/** A batch that does not arrive is lost: nobody waits for a trace. */
function send(): void {
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: service } }] };
  const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: batch }] }] });
  batch = [];
  const headers = { 'content-type': 'application/json' };
  const request = http.request(`${endpoint}/v1/traces`, { method: 'POST', agent, headers, timeout: 2000 });
  request.on('response', (answer) => answer.resume());
  request.on('timeout', () => request.destroy());
  request.on('error', () => {});
  request.end(body);
}
