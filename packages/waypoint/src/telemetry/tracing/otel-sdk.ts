/** OpenTelemetry's NodeSDK as a waypoint uses it: spans only, nothing patched, nothing detected, everything bounded. */
import { context, propagation, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { BatchSpanProcessor, StackContextManager } from '@opentelemetry/sdk-trace';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import { callerSampler } from './caller-sampler.ts';
import { CountedExport } from './counted-export.ts';
import type { SpanCounts } from './counted-export.ts';
import { MeshPropagator } from './propagator.ts';
import type { RequestTracer } from './request-trace.ts';
import { SpanTracer } from './span-tracer.ts';
import type { CollectorOptions } from './tracing-options.ts';

export type RunningSdk = {
  readonly tracer: RequestTracer;
  readonly counts: () => SpanCounts;
  /** Exports what waits and ends; never rejects. */
  readonly shutdown: () => Promise<void>;
};

/** Attributes of a span, and how long a value may be: both are partly the caller's choice. */
const spanLimits = { attributeCountLimit: 32, attributeValueLengthLimit: 1_024 };

export type SdkDeps = { readonly clock: Clock; readonly logger: Logger };

/** @param baggage keys that may go on */
export function startSdk(options: CollectorOptions, baggage: readonly string[], deps: SdkDeps): RunningSdk {
  const maxWaiting = options.maxQueuedSpans ?? 2_048;
  const maxExportBatchSize = Math.min(options.maxBatchSpans ?? 512, maxWaiting);
  const counted = new CountedExport({ maxWaiting }, deps);
  const propagator = new MeshPropagator();
  const queue = new BatchSpanProcessor({
    exporter: counted.count(exporterOf(options, Math.ceil(maxWaiting / maxExportBatchSize))),
    maxQueueSize: maxWaiting,
    maxExportBatchSize,
    scheduledDelayMillis: options.batchDelayMs ?? 1_000,
    exportTimeoutMillis: options.exportTimeoutMs ?? 10_000,
  });
  const sdk = new NodeSDK({
    resource: resourceFromAttributes(options.resource),
    autoDetectResources: false,
    sampler: callerSampler(options.ratio ?? 1),
    spanProcessors: [counted.bound(queue)],
    spanLimits,
    textMapPropagator: propagator,
    // Contexts are handed over as arguments: following promises would cost every await of the process.
    contextManager: new StackContextManager(),
    instrumentations: [],
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
  const tracer = trace.getTracer('clearmesh-waypoint');
  let ending: Promise<void> | undefined;
  return {
    tracer: new SpanTracer({ baggage }, { tracer, propagator, clock: deps.clock }),
    counts: () => counted.counts,
    shutdown: () => (ending ??= end(sdk)),
  };
}

/** @param concurrencyLimit batches under way, since a shutdown exports all that wait at once */
function exporterOf({ url, protocol, exportTimeoutMs = 10_000 }: CollectorOptions, concurrencyLimit: number): SpanExporter {
  const config = { url, timeoutMillis: exportTimeoutMs, concurrencyLimit };
  return protocol === 'http/json' ? new JsonExporter(config) : new ProtobufExporter(config);
}

async function end(sdk: NodeSDK): Promise<void> {
  // The SDK registers itself for the whole process; at once, so that a late end does not take another one's place away.
  trace.disable();
  propagation.disable();
  context.disable();
  try {
    await sdk.shutdown();
  } catch {
    // Said by CountedExport already: the last batch could not be exported.
  }
}
