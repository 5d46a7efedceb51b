/** A span as people look at it. */

type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** By OTLP's numbers; what is not among them is internal. */
const spanKinds: readonly SpanKind[] = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'];

type SpanStatus = 'unset' | 'ok' | 'error';

/** By OTLP's numbers. */
const spanStatuses: readonly SpanStatus[] = ['unset', 'ok', 'error'];

export type AttributeValue = string | number | boolean;

export type ReceivedSpan = {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** Absent: a root. */
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: SpanKind;
  /** Milliseconds since the epoch, with fractions. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly status: SpanStatus;
  /** `service.name` of the resource, else "". */
  readonly service: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
};

/** What a decoder reads of one span before it is known to be sound. */
export type SpanFields = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  /** Nanoseconds since the epoch. */
  readonly startNano: bigint;
  readonly endNano: bigint;
  readonly statusCode: number;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
};

const traceIdPattern = /^(?!0{32})[0-9a-f]{32}$/;
const spanIdPattern = /^(?!0{16})[0-9a-f]{16}$/;

/** The span, or `undefined` when OTLP calls its ids invalid. */
export function spanOf(fields: SpanFields, service: string): ReceivedSpan | undefined {
  const { traceId, spanId, parentSpanId, name, kind, startNano, endNano, statusCode, attributes } = fields;
  if (!traceIdPattern.test(traceId) || !spanIdPattern.test(spanId)) return undefined;
  return {
    traceId,
    spanId,
    ...(spanIdPattern.test(parentSpanId) ? { parentSpanId } : {}),
    name,
    kind: spanKinds[kind] ?? 'internal',
    startMs: milliseconds(startNano),
    durationMs: endNano > startNano ? milliseconds(endNano - startNano) : 0,
    status: spanStatuses[statusCode] ?? 'unset',
    service,
    attributes,
  };
}

function milliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds / 1_000_000n) + Number(nanoseconds % 1_000_000n) / 1e6;
}
