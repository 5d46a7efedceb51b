/** The last traces, in memory: a trace that gets spans is new again, and the one that waited longest makes room. */
import type { ReceivedSpan } from './span.ts';

export type TraceStoreOptions = {
  /** @default 500 */
  readonly maxTraces?: number;
  /** Further spans of a trace are left out. @default 500 */
  readonly maxSpans?: number;
};

export type TraceSummary = {
  readonly traceId: string;
  /** Of the root, or of the earliest span while the root is not there. */
  readonly name: string;
  readonly service: string;
  readonly startMs: number;
  /** From the first start to the last end. */
  readonly durationMs: number;
  readonly spans: number;
  readonly errors: number;
};

export class TraceStore {
  readonly #maxTraces: number;
  readonly #maxSpans: number;
  /** By trace id, then by span id: exporters send a batch again when they got no answer. */
  readonly #traces = new Map<string, Map<string, ReceivedSpan>>();

  constructor(options: TraceStoreOptions = {}) {
    this.#maxTraces = options.maxTraces ?? 500;
    this.#maxSpans = options.maxSpans ?? 500;
  }

  get size(): number {
    return this.#traces.size;
  }

  add(spans: readonly ReceivedSpan[]): void {
    for (const span of spans) {
      const trace = this.#traces.get(span.traceId) ?? new Map<string, ReceivedSpan>();
      // To the end of the order.
      this.#traces.delete(span.traceId);
      this.#traces.set(span.traceId, trace);
      if (trace.size < this.#maxSpans) trace.set(span.spanId, span);
      const [oldest] = this.#traces.keys();
      if (this.#traces.size > this.#maxTraces && oldest !== undefined) this.#traces.delete(oldest);
    }
  }

  /** Spans by their start; `undefined` for a trace that is not kept. */
  trace(traceId: string): readonly ReceivedSpan[] | undefined {
    const trace = this.#traces.get(traceId);
    return trace === undefined ? undefined : [...trace.values()].sort((a, b) => a.startMs - b.startMs);
  }

  /** Newest first. */
  summaries(): readonly TraceSummary[] {
    return [...this.#traces.keys()].toReversed().map((traceId) => summaryOf(traceId, this.trace(traceId) ?? []));
  }
}

function summaryOf(traceId: string, spans: readonly ReceivedSpan[]): TraceSummary {
  const head = spans.find(({ parentSpanId }) => parentSpanId === undefined) ?? spans[0];
  const startMs = spans[0]?.startMs ?? 0;
  const endMs = spans.reduce((latest, span) => Math.max(latest, span.startMs + span.durationMs), startMs);
  return {
    traceId,
    name: head?.name ?? '',
    service: head?.service ?? '',
    startMs,
    durationMs: endMs - startMs,
    spans: spans.length,
    errors: spans.filter(({ status }) => status === 'error').length,
  };
}
