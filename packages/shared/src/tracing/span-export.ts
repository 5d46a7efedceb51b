/**
 * Spans of things that are over when they are recorded, exported by OpenTelemetry: their ids were made, and told to peers, before.
 * Nothing is registered for the process, and nothing patched.
 */
import { SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import type { HrTime } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { Logger } from '../observe/log.ts';
import type { CollectorOptions } from './collector-environment.ts';
import type { SpanCounts } from './counted-export.ts';
import { createSpanQueue } from './span-queue.ts';

/** A span that has ended. */
export type EndedSpan = {
  /** 32 hexadecimal digits, as all ids here lower-case. */
  readonly traceId: string;
  /** 16 digits, as its parent. */
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  readonly name: string;
  readonly kind: 'client' | 'server';
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
  /** What is undefined is left out. */
  readonly attributes: Readonly<Record<string, string | number | undefined>>;
  /** Why it did not end well. */
  readonly error?: string | undefined;
};

export type SpanExport = {
  readonly record: (span: EndedSpan) => void;
  readonly counts: () => SpanCounts;
  /** Exports what waits and ends; never rejects. */
  readonly shutdown: () => Promise<void>;
};

/** A value may be partly a peer's choice. */
const longestValue = 1_024;

/** @param scope who made the spans */
export function startSpanExport(scope: string, options: CollectorOptions, deps: { readonly logger: Logger }): SpanExport {
  const { processor, counts } = createSpanQueue(options, deps);
  const common = {
    resource: resourceFromAttributes(options.resource),
    instrumentationScope: { name: scope },
    links: [],
    events: [],
    ended: true,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
  return {
    record: (span) => processor.onEnd({ ...common, ...readable(span) }),
    counts,
    // What could not be exported was said already.
    shutdown: () => processor.shutdown().catch(() => {}),
  };
}

function readable(
  span: EndedSpan,
): Pick<
  ReadableSpan,
  'name' | 'kind' | 'spanContext' | 'startTime' | 'endTime' | 'duration' | 'status' | 'attributes' | 'parentSpanContext'
> {
  const { traceId, spanId, parentSpanId, name, kind, startMs, endMs, attributes, error } = span;
  const context = { traceId, spanId, traceFlags: TraceFlags.SAMPLED };
  const parent = parentSpanId === undefined ? {} : { parentSpanContext: { ...context, spanId: parentSpanId, isRemote: true } };
  return {
    name,
    kind: kind === 'client' ? SpanKind.CLIENT : SpanKind.SERVER,
    spanContext: () => context,
    ...parent,
    startTime: hrTime(startMs),
    endTime: hrTime(endMs),
    duration: hrTime(endMs - startMs),
    status: error === undefined ? { code: SpanStatusCode.UNSET } : { code: SpanStatusCode.ERROR, message: bounded(error) },
    attributes: Object.fromEntries(
      Object.entries(attributes).flatMap(([key, value]) =>
        value === undefined ? [] : [[key, typeof value === 'string' ? bounded(value) : value]],
      ),
    ),
  };
}

function bounded(text: string): string {
  return text.slice(0, longestValue);
}

/** As seconds and nanoseconds: a bare number could be taken for one of two clocks. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)];
}
