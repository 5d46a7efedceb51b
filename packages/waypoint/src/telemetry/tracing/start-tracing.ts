/** Starts OpenTelemetry's SDK when a collector is named; the SDK is not even loaded otherwise. */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { settlesWithin } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { SpanCounts } from '@clearmesh/shared/tracing/counted-export';
import { PassingTracer } from './passing-tracer.ts';
import type { RequestTracer } from './request-trace.ts';
import type { TracingOptions } from './tracing-options.ts';

/** The tracer of this process, and its end. */
export interface Tracing extends AsyncDisposable {
  readonly tracer: RequestTracer;
  readonly counts: SpanCounts;
  /** Exports what waits, for at most so long, milliseconds. */
  shutdown(deadlineMs: number): Promise<void>;
}

export type TracingDeps = { readonly clock: Clock; readonly random: Random; readonly logger: Logger };

/** Milliseconds for the last spans when nobody says how long. */
const shutdownMs = 2_000;

export async function startTracing(options: TracingOptions, deps: TracingDeps): Promise<Tracing> {
  const { collector, baggage = [] } = options;
  if (collector === undefined) return new TracingOff(baggage, deps);
  const { startSdk } = await import('./otel-sdk.ts');
  const sdk = startSdk(collector, baggage, deps);
  return {
    tracer: sdk.tracer,
    get counts() {
      return sdk.counts();
    },
    shutdown: (deadlineMs) => withDeadline(sdk.shutdown(), deadlineMs, deps),
    [Symbol.asyncDispose]: () => withDeadline(sdk.shutdown(), shutdownMs, deps),
  };
}

class TracingOff implements Tracing {
  readonly tracer: RequestTracer;
  readonly counts: SpanCounts = { exported: 0, dropped: 0 };

  constructor(baggage: readonly string[], deps: TracingDeps) {
    this.tracer = new PassingTracer({ baggage }, deps);
  }

  async shutdown(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** A collector that does not answer must not hold up a drain. */
async function withDeadline(ended: Promise<void>, deadlineMs: number, { clock, logger }: TracingDeps): Promise<void> {
  if (await settlesWithin(clock, deadlineMs, ended)) return;
  logger.warn(`the last spans were not exported within ${deadlineMs} ms and are lost`);
}
