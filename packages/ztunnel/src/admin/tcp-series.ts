/**
 * The live series of the TCP metrics. prom-client makes a string of all its labels at each increment, which costs more
 * than the increment of a number by far; so connections add to plain numbers here, and a scrape moves them over.
 *
 * M1  A connection finds its series by the identity of its workload objects; labels are made once per pair.
 * M2  Series are bounded: beyond `maxSeries`, connections share one series per reporter whose labels say `overflow`.
 * M3  A series without connection that was not used for `idleMs` is dropped at a scrape; so deleted workloads vanish.
 */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { ResponseFlag } from '../path/connection-cut.ts';
import { tcpLabels } from './tcp-labels.ts';
import type { TcpConnectionFacts, TcpLabels, TcpPeer } from './tcp-labels.ts';

export type TcpSeriesOptions = {
  /** @default 10 000 */
  readonly maxSeries?: number;
  /** Milliseconds. @default 1 hour */
  readonly idleMs?: number;
};

/** What a series counts; each number is what came since the last scrape. */
export type TcpCount = 'opened' | 'closed' | 'failed' | 'received' | 'sent';

export class TcpSeries {
  readonly labels: TcpLabels;
  opened = 0;
  closed = 0;
  failed = 0;
  received = 0;
  sent = 0;
  /** Connections that hold it now. */
  holders = 0;
  lastUsedMs: number;
  retired = false;

  constructor(labels: TcpLabels, nowMs: number) {
    this.labels = labels;
    this.lastUsedMs = nowMs;
  }
}

type Variants = Map<string, TcpSeries>;

const nobody = {};

/** Series cached for one pair of ends. */
const maxVariants = 1_024;

export class TcpSeriesTable {
  readonly #maxSeries: number;
  readonly #idleMs: number;
  readonly #clock: Clock;
  readonly #series = new Map<string, TcpSeries>();
  /** M1; weak, so that a replaced workload takes its entries with it. */
  #byPair = new WeakMap<object, WeakMap<object, Variants>>();

  constructor(options: TcpSeriesOptions, deps: { readonly clock: Clock }) {
    this.#maxSeries = options.maxSeries ?? 10_000;
    this.#idleMs = options.idleMs ?? 3_600_000;
    this.#clock = deps.clock;
  }

  get size(): number {
    return this.#series.size;
  }

  /** The series of these facts, made if there is none. */
  find(facts: TcpConnectionFacts, flag: ResponseFlag): TcpSeries {
    const variants = this.#variants(facts.source, facts.destination);
    const { reporter, service, mutualTls, sourceIdentity = '', sourceCaller = '', destinationIdentity = '' } = facts;
    const variant = `${reporter} ${flag} ${service?.namespace}/${service?.hostname}/${service?.name} ${mutualTls} ${sourceIdentity} ${sourceCaller} ${destinationIdentity}`;
    const cached = variants.get(variant);
    if (cached !== undefined && !cached.retired) return this.#touch(cached);
    const series = this.#byLabels(tcpLabels(facts, flag));
    // Services and identities come and go while both ends stay unknown: start over rather than keep all of them.
    if (variants.size >= maxVariants) variants.clear();
    variants.set(variant, series);
    return this.#touch(series);
  }

  /** Hands over one count of every series, and starts it at 0 again. */
  take(count: TcpCount, recv: (labels: TcpLabels, amount: number) => void): void {
    for (const series of this.#series.values()) {
      const amount = series[count];
      series[count] = 0;
      if (amount > 0) recv(series.labels, amount);
    }
  }

  /** Drops idle series (M3) and tells their labels. */
  retireIdle(): readonly TcpLabels[] {
    const oldest = this.#clock.monotonicMs() - this.#idleMs;
    const retired: TcpLabels[] = [];
    for (const [key, series] of this.#series) {
      if (series.holders > 0 || series.lastUsedMs > oldest || hasCounts(series)) continue;
      series.retired = true;
      this.#series.delete(key);
      retired.push(series.labels);
    }
    if (retired.length > 0) this.#byPair = new WeakMap();
    return retired;
  }

  #touch(series: TcpSeries): TcpSeries {
    series.lastUsedMs = this.#clock.monotonicMs();
    return series;
  }

  #variants(source: TcpPeer | undefined, destination: TcpPeer | undefined): Variants {
    const bySource = this.#byPair.get(source ?? nobody) ?? new WeakMap<object, Variants>();
    this.#byPair.set(source ?? nobody, bySource);
    const variants = bySource.get(destination ?? nobody) ?? new Map<string, TcpSeries>();
    bySource.set(destination ?? nobody, variants);
    return variants;
  }

  #byLabels(labels: TcpLabels): TcpSeries {
    const key = Object.values(labels).join('\n');
    const existing = this.#series.get(key);
    if (existing !== undefined) return existing;
    if (this.#series.size >= this.#maxSeries && labels['source_workload'] !== 'overflow') return this.#byLabels(overflow(labels));
    const series = new TcpSeries(labels, this.#clock.monotonicMs());
    this.#series.set(key, series);
    return series;
  }
}

/** M2. The flag and the security stay, since alerts are made of them. */
function overflow(labels: TcpLabels): TcpLabels {
  const kept = new Set(['reporter', 'request_protocol', 'response_flags', 'connection_security_policy']);
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, kept.has(name) ? value : 'overflow']));
}

function hasCounts(series: TcpSeries): boolean {
  return series.opened + series.closed + series.failed + series.received + series.sent > 0;
}
