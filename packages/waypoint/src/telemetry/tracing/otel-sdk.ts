/** OpenTelemetry's NodeSDK as a waypoint uses it: spans only, nothing patched, nothing detected, everything bounded. */
import { context, propagation, trace } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { StackContextManager } from '@opentelemetry/sdk-trace';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { CollectorOptions } from '@clearmesh/shared/tracing/collector-environment';
import type { SpanCounts } from '@clearmesh/shared/tracing/counted-export';
import { createSpanQueue } from '@clearmesh/shared/tracing/span-queue';
import { callerSampler } from './caller-sampler.ts';
import { MeshPropagator } from './propagator.ts';
import type { RequestTracer } from './request-trace.ts';
import { SpanTracer } from './span-tracer.ts';

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
  const queue = createSpanQueue(options, deps);
  const propagator = new MeshPropagator();
  const sdk = new NodeSDK({
    resource: resourceFromAttributes(options.resource),
    autoDetectResources: false,
    sampler: callerSampler(options.ratio ?? 1),
    spanProcessors: [queue.processor],
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
    counts: queue.counts,
    shutdown: () => (ending ??= end(sdk)),
  };
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
