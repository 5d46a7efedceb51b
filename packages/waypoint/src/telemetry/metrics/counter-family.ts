/** A counter with few labels of our own, kept as plain numbers; more tuples than foreseen share one whose labels say `overflow`. */
import type { Registry } from 'prom-client';
import { computedCounter } from './computed-family.ts';
import type { Sample } from './computed-family.ts';

export type CounterFamilyOptions = {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  /** @default 1 000 */
  readonly maxSeries?: number;
};

type Series = { readonly labels: Readonly<Record<string, string>>; value: number };

export class CounterFamily {
  readonly #labelNames: readonly string[];
  readonly #maxSeries: number;
  readonly #series = new Map<string, Series>();

  constructor(options: CounterFamilyOptions, deps: { readonly registry: Registry }) {
    this.#labelNames = options.labelNames;
    this.#maxSeries = options.maxSeries ?? 1_000;
    // A counter without labels is there from the start.
    if (options.labelNames.length === 0) this.#find('', []);
    computedCounter(options, deps.registry, () => this.#samples());
  }

  /** @param values in the order of the label names */
  inc(...values: readonly string[]): void {
    // The only value is its own key.
    const key = values.length === 1 ? (values[0] ?? '') : values.join('\n');
    (this.#series.get(key) ?? this.#find(key, values)).value++;
  }

  /** As {@link inc}, by more than one. */
  add(amount: number, ...values: readonly string[]): void {
    const key = values.join('\n');
    (this.#series.get(key) ?? this.#find(key, values)).value += amount;
  }

  #find(key: string, values: readonly string[]): Series {
    const full = this.#series.size >= this.#maxSeries;
    const at = full ? 'overflow' : key;
    const existing = this.#series.get(at);
    if (existing !== undefined) return existing;
    const labels = Object.fromEntries(this.#labelNames.map((name, i) => [name, full ? 'overflow' : (values[i] ?? '')]));
    const series = { labels, value: 0 };
    this.#series.set(at, series);
    return series;
  }

  #samples(): Sample[] {
    return [...this.#series.values()].map(({ labels, value }) => ({ labels: {}, sharedLabels: labels, value }));
  }
}
