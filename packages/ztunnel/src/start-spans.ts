/** Starts the export of spans when a collector is named; OpenTelemetry is not even loaded otherwise. */
import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';
import { settlesWithin } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { CollectorOptions } from '@clearmesh/shared/tracing/collector-environment';
import type { SpanCounts } from '@clearmesh/shared/tracing/counted-export';
import { noSpans, sampledShare } from './path/connection-spans.ts';
import type { SpanSink } from './path/connection-spans.ts';

export type Spans = {
  readonly sink: SpanSink;
  readonly counts: () => SpanCounts;
  /** Exports what waits, within two seconds: a collector that is gone must not hold up a drain. */
  readonly shutdown: () => Promise<void>;
};

const shutdownMs = 2_000;

export async function startSpans(
  collector: CollectorOptions | undefined,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<Spans> {
  if (collector === undefined) return { sink: noSpans, counts: () => ({ exported: 0, dropped: 0 }), shutdown: async () => {} };
  const { startSpanExport } = await import('@clearmesh/shared/tracing/span-export');
  const { record, counts, shutdown } = startSpanExport('clearmesh-ztunnel', collector, { logger });
  return {
    sink: { samples: sampledShare(collector.ratio ?? 1), record },
    counts,
    shutdown: async () => {
      if (!(await settlesWithin(clock, shutdownMs, shutdown())))
        logger.warn(`the last spans were not exported within ${shutdownMs} ms and are lost`);
    },
  };
}

/** `clearmesh_spans_total{result}`: spans by what became of them. */
export function registerSpanMetrics(read: () => SpanCounts, { registry }: { readonly registry: Registry }): void {
  const spans: Counter = new Counter({
    name: 'clearmesh_spans_total',
    help: 'Spans by what became of them',
    labelNames: ['result'],
    registers: [registry],
    collect: () => {
      const counts = read();
      spans.reset();
      for (const result of ['exported', 'dropped'] as const) spans.inc({ result }, counts[result]);
    },
  });
}
