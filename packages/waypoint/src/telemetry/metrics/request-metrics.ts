/**
 * Istio's request metrics, reported by the waypoint (l7-and-resilience B14):
 *
 *   istio_requests_total                      requests that ended
 *   istio_request_duration_milliseconds       from the request's head to the end of the answer
 *   istio_request_bytes, istio_response_bytes of the bodies
 *   istio_request_messages_total, istio_response_messages_total   gRPC messages
 */
import type { Registry } from 'prom-client';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { bucketOf, istioBuckets } from './buckets.ts';
import { computedCounter, computedHistogram } from './computed-family.ts';
import type { Sample } from './computed-family.ts';
import { requestLabelNames } from './request-labels.ts';
import type { RequestSeriesFacts } from './request-labels.ts';
import { RequestSeriesTable } from './request-series.ts';
import type { Distribution, RequestHistogram, RequestSeries, RequestSeriesOptions } from './request-series.ts';

/** One request at its end. */
export type RequestReport = RequestSeriesFacts & {
  readonly durationMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** gRPC; absent where nobody counted. */
  readonly requestMessages?: number | undefined;
  readonly responseMessages?: number | undefined;
};

type CounterField = 'requests' | 'requestMessages' | 'responseMessages';

const counters: Readonly<Record<CounterField, { readonly name: string; readonly help: string }>> = {
  requests: { name: 'istio_requests_total', help: 'Requests that ended' },
  requestMessages: { name: 'istio_request_messages_total', help: 'gRPC messages sent by clients' },
  responseMessages: { name: 'istio_response_messages_total', help: 'gRPC messages sent by servers' },
};

const histograms: Readonly<Record<RequestHistogram, { readonly name: string; readonly help: string }>> = {
  duration: { name: 'istio_request_duration_milliseconds', help: 'Duration of requests in milliseconds' },
  requestBytes: { name: 'istio_request_bytes', help: 'Size of request bodies in bytes' },
  responseBytes: { name: 'istio_response_bytes', help: 'Size of response bodies in bytes' },
};

const bounds = [...istioBuckets.map(String), '+Inf'];

export class RequestMetrics {
  readonly #table: RequestSeriesTable;

  constructor(options: RequestSeriesOptions, deps: { readonly registry: Registry; readonly clock: Clock }) {
    this.#table = new RequestSeriesTable(options, deps);
    for (const field of Object.keys(counters) as CounterField[])
      computedCounter({ ...counters[field], labelNames: requestLabelNames }, deps.registry, () => this.#counterSamples(field));
    for (const field of Object.keys(histograms) as RequestHistogram[])
      computedHistogram({ ...histograms[field], labelNames: requestLabelNames }, deps.registry, () =>
        [...this.#table.values()].flatMap((series) => histogramSamples(histograms[field].name, series, series[field])),
      );
  }

  /** Series kept now. */
  get size(): number {
    return this.#table.size;
  }

  recvEnded(report: RequestReport): void {
    const series = this.#table.find(report);
    series.requests++;
    series.requestMessages += report.requestMessages ?? 0;
    series.responseMessages += report.responseMessages ?? 0;
    observe(series.duration, report.durationMs);
    observe(series.requestBytes, report.requestBytes);
    observe(series.responseBytes, report.responseBytes);
  }

  /** `requests` is the first family of a scrape. */
  #counterSamples(field: CounterField): Sample[] {
    if (field === 'requests') this.#table.retireIdle();
    const samples: Sample[] = [];
    for (const series of this.#table.values()) {
      // Only gRPC has messages.
      if (field === 'requests' || series[field] > 0)
        samples.push({ value: series[field], labels: {}, sharedLabels: series.labels });
    }
    return samples;
  }
}

function observe(distribution: Distribution, value: number): void {
  const index = bucketOf(value);
  distribution.buckets[index] = (distribution.buckets[index] ?? 0) + 1;
  distribution.sum += value;
}

/** Cumulative, as the text format has them. */
function histogramSamples(name: string, { labels: sharedLabels }: RequestSeries, { buckets, sum }: Distribution): Sample[] {
  let count = 0;
  const samples: Sample[] = bounds.map((le, i) => {
    count += buckets[i] ?? 0;
    return { metricName: `${name}_bucket`, labels: { le }, sharedLabels, value: count };
  });
  return [
    ...samples,
    { metricName: `${name}_sum`, labels: {}, sharedLabels, value: sum },
    { metricName: `${name}_count`, labels: {}, sharedLabels, value: count },
  ];
}
