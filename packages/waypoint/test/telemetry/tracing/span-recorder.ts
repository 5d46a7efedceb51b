/** A span tracer whose spans end up in a list, under the sampler and the propagator that a waypoint uses. */
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { callerSampler } from '../../../src/telemetry/tracing/caller-sampler.ts';
import { MeshPropagator } from '../../../src/telemetry/tracing/propagator.ts';
import { SpanTracer } from '../../../src/telemetry/tracing/span-tracer.ts';

export type SpanRecorder = {
  readonly tracer: SpanTracer;
  readonly clock: FakeClock;
  readonly spans: () => readonly ReadableSpan[];
};

export function spanRecorder({ ratio = 1, baggage = [] }: { ratio?: number; baggage?: readonly string[] } = {}): SpanRecorder {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({
    sampler: callerSampler(ratio),
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  const clock = new FakeClock();
  const tracer = new SpanTracer({ baggage }, { tracer: provider.getTracer('test'), propagator: new MeshPropagator(), clock });
  return { tracer, clock, spans: () => exporter.getFinishedSpans() };
}
