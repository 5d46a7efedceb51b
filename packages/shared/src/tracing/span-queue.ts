/** Spans on their way to a collector, in batches, bounded and counted. */
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace';
import type { SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import type { Logger } from '../observe/log.ts';
import type { CollectorOptions } from './collector-environment.ts';
import { CountedExport } from './counted-export.ts';
import type { SpanCounts } from './counted-export.ts';

export type SpanQueue = { readonly processor: SpanProcessor; readonly counts: () => SpanCounts };

export function createSpanQueue(options: CollectorOptions, deps: { readonly logger: Logger }): SpanQueue {
  const maxWaiting = options.maxQueuedSpans ?? 2_048;
  const maxExportBatchSize = Math.min(options.maxBatchSpans ?? 512, maxWaiting);
  const counted = new CountedExport({ maxWaiting }, deps);
  const queue = new BatchSpanProcessor({
    exporter: counted.count(exporterOf(options, Math.ceil(maxWaiting / maxExportBatchSize))),
    maxQueueSize: maxWaiting,
    maxExportBatchSize,
    scheduledDelayMillis: options.batchDelayMs ?? 1_000,
    exportTimeoutMillis: options.exportTimeoutMs ?? 10_000,
  });
  return { processor: counted.bound(queue), counts: () => counted.counts };
}

/** @param concurrencyLimit batches under way, since a shutdown exports all that wait at once */
function exporterOf({ url, protocol, exportTimeoutMs = 10_000 }: CollectorOptions, concurrencyLimit: number): SpanExporter {
  const config = { url, timeoutMillis: exportTimeoutMs, concurrencyLimit };
  return protocol === 'http/json' ? new JsonExporter(config) : new ProtobufExporter(config);
}
