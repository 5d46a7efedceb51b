/**
 * Spans on their way to the collector, bounded and counted: a collector that is slow or gone costs spans, never
 * requests or memory.
 *
 *   ended ─▶ waiting ≤ maxWaiting ─▶ handed over ─▶ exported | dropped
 *       └──▶ dropped
 */
import { TraceFlags } from '@opentelemetry/api';
import type { Context } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import type { ExportResult } from '@opentelemetry/core';
import type { ReadableSpan, Span, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import type { Logger } from '../observe/log.ts';

/** What became of the spans of this process. */
export type SpanCounts = { readonly exported: number; readonly dropped: number };

export type CountedExportOptions = {
  /** Spans kept for the next batches. */
  readonly maxWaiting: number;
};

export class CountedExport {
  readonly #options: CountedExportOptions;
  readonly #logger: Logger;
  #waiting = 0;
  #exported = 0;
  #dropped = 0;
  #failing = false;

  constructor(options: CountedExportOptions, deps: { readonly logger: Logger }) {
    this.#options = options;
    this.#logger = deps.logger;
  }

  get counts(): SpanCounts {
    return { exported: this.#exported, dropped: this.#dropped };
  }

  /** In front of the queue. */
  bound(queue: SpanProcessor): SpanProcessor {
    return {
      onStart: (span: Span, context: Context) => queue.onStart(span, context),
      onEnd: (span: ReadableSpan) => this.#recvEnded(span, queue),
      forceFlush: () => queue.forceFlush(),
      shutdown: () => queue.shutdown(),
    };
  }

  /** Behind the queue. */
  count(exporter: SpanExporter): SpanExporter {
    return {
      export: (spans: ReadableSpan[], done: (result: ExportResult) => void) => {
        this.#waiting -= spans.length;
        exporter.export(spans, (result) => {
          this.#recvResult(spans.length, result);
          done(result);
        });
      },
      forceFlush: async () => exporter.forceFlush?.(),
      shutdown: () => exporter.shutdown(),
    };
  }

  #recvEnded(span: ReadableSpan, queue: SpanProcessor): void {
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
    if (this.#waiting >= this.#options.maxWaiting) {
      this.#dropped++;
      return;
    }
    this.#waiting++;
    queue.onEnd(span);
  }

  /** Said once when it begins and once when it ends: a collector may be away for days. */
  #recvResult(spans: number, { code, error }: ExportResult): void {
    const failed = code !== ExportResultCode.SUCCESS;
    if (failed) this.#dropped += spans;
    else this.#exported += spans;
    if (failed === this.#failing) return;
    this.#failing = failed;
    if (failed) {
      this.#logger.warn('spans cannot be exported and are dropped until they can; check OTEL_EXPORTER_OTLP_ENDPOINT', {
        error: error?.message,
      });
    } else this.#logger.info('spans are exported again', { dropped: this.#dropped });
  }
}
