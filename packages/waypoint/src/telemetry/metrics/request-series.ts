/**
 * The series of the request metrics. A request finds its series by the identity of objects it has anyway and one number;
 * labels and their text are made once a series.
 *
 * M1  Found by source, caller, service and destination; then by protocol, status and flag as one number.
 * M2  Series are bounded: beyond `maxSeries`, requests share series whose labels say `overflow`. Each has 68 lines.
 * M3  A series that was not used for `idleMs` is dropped at a scrape; so deleted workloads vanish.
 */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { ResponseFlag } from '../../exchange/failure.ts';
import { istioBuckets } from './buckets.ts';
import type { Labels } from './computed-family.ts';
import { overflowLabels, requestLabels } from './request-labels.ts';
import type { RequestSeriesFacts } from './request-labels.ts';

export type RequestSeriesOptions = {
  /** @default 1 000 */
  readonly maxSeries?: number;
  /** Milliseconds. @default 1 hour */
  readonly idleMs?: number;
};

export type RequestHistogram = 'duration' | 'requestBytes' | 'responseBytes';

/** Requests by bucket, and the sum. */
export class Distribution {
  readonly buckets: Float64Array = new Float64Array(istioBuckets.length + 1);
  sum = 0;
}

export class RequestSeries {
  readonly labels: Labels;
  requests = 0;
  requestMessages = 0;
  responseMessages = 0;
  readonly duration: Distribution = new Distribution();
  readonly requestBytes: Distribution = new Distribution();
  readonly responseBytes: Distribution = new Distribution();
  lastUsedMs: number;

  constructor(labels: Labels, nowMs: number) {
    this.labels = labels;
    this.lastUsedMs = nowMs;
  }
}

/** M1: protocol, status, gRPC status and flag as one number. */
type Variants = Map<number, RequestSeries>;
type ByDestination = WeakMap<object, Variants>;
type ByService = Map<string, ByDestination>;
type ByCaller = Map<string, ByService>;

const nobody = {};

/** Callers of one source, services of one caller: what does not die with an object. */
const maxEntries = 1_024;

export class RequestSeriesTable {
  readonly #maxSeries: number;
  readonly #idleMs: number;
  readonly #clock: Clock;
  readonly #series = new Map<string, RequestSeries>();
  /** Flags numbered as they come. */
  readonly #flags = new Map<ResponseFlag, number>();
  #bySource = new WeakMap<object, ByCaller>();

  constructor(options: RequestSeriesOptions, deps: { readonly clock: Clock }) {
    this.#maxSeries = options.maxSeries ?? 1_000;
    this.#idleMs = options.idleMs ?? 3_600_000;
    this.#clock = deps.clock;
  }

  get size(): number {
    return this.#series.size;
  }

  values(): Iterable<RequestSeries> {
    return this.#series.values();
  }

  /** The series of these facts, made if there is none. */
  find(facts: RequestSeriesFacts): RequestSeries {
    const variants = this.#variants(facts);
    const variant = this.#variant(facts);
    const series = variants.get(variant) ?? this.#byLabels(requestLabels(facts));
    if (variants.size >= maxEntries) variants.clear();
    variants.set(variant, series);
    series.lastUsedMs = this.#clock.monotonicMs();
    return series;
  }

  /** M3. A series that comes back begins at 0, which Prometheus takes for a restart. */
  retireIdle(): void {
    const oldest = this.#clock.monotonicMs() - this.#idleMs;
    const before = this.#series.size;
    for (const [key, { lastUsedMs }] of this.#series) if (lastUsedMs < oldest) this.#series.delete(key);
    if (this.#series.size < before) this.#bySource = new WeakMap();
  }

  #variants({ source, sourceIdentity, service, destination }: RequestSeriesFacts): Variants {
    const byCaller = entry(this.#bySource, source ?? nobody, newMap<string, ByService>);
    const byService = boundedEntry(byCaller, sourceIdentity, newMap<string, ByDestination>);
    const byDestination = boundedEntry(byService, service.key, newWeakMap<Variants>);
    return entry(byDestination, destination ?? nobody, newMap<number, RequestSeries>);
  }

  /** Each part has room for every value it can have; gRPC status 0 stands for none here. */
  #variant({ grpc, status, grpcStatus = -1, flag }: RequestSeriesFacts): number {
    let index = this.#flags.get(flag);
    if (index === undefined) this.#flags.set(flag, (index = this.#flags.size));
    return (((status & 0x3ff) * 32 + ((grpcStatus + 1) & 31)) * 64 + index) * 2 + (grpc ? 1 : 0);
  }

  #byLabels(labels: Labels): RequestSeries {
    const key = Object.values(labels).join('\n');
    const existing = this.#series.get(key);
    if (existing !== undefined) return existing;
    if (this.#series.size >= this.#maxSeries && labels['source_workload'] !== 'overflow')
      return this.#byLabels(overflowLabels(labels));
    const series = new RequestSeries(labels, this.#clock.monotonicMs());
    this.#series.set(key, series);
    return series;
  }
}

function newMap<Key, Value>(): Map<Key, Value> {
  return new Map();
}

function newWeakMap<Value>(): WeakMap<object, Value> {
  return new WeakMap();
}

function entry<Key extends WeakKey, Value>(
  map: { get(key: Key): Value | undefined; set(key: Key, value: Value): unknown },
  key: Key,
  make: () => Value,
): Value {
  const existing = map.get(key);
  if (existing !== undefined) return existing;
  const made = make();
  map.set(key, made);
  return made;
}

/** Starts over when there are too many, rather than keep all of them. */
function boundedEntry<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  const existing = map.get(key);
  if (existing !== undefined) return existing;
  if (map.size >= maxEntries) map.clear();
  const made = make();
  map.set(key, made);
  return made;
}
