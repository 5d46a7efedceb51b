/** What selects workloads by their labels, so that a workload asks only what names one of its labels, not all there is. */
import { hasLabels } from './labels.ts';
import type { Labels } from '../manifest/metadata.ts';

type Entry<T> = { readonly order: number; readonly wanted: Labels; readonly value: T };

export class SelectorIndex<T> {
  /** By namespace, then by the first pair that is wanted; "" for what wants none. */
  readonly #namespaces = new Map<string, Map<string, Entry<T>[]>>();
  #size = 0;

  add(namespace: string, wanted: Labels, value: T): void {
    const [first] = Object.entries(wanted);
    const pair = first === undefined ? '' : pairKey(...first);
    const byPair = this.#namespaces.get(namespace) ?? new Map<string, Entry<T>[]>();
    this.#namespaces.set(namespace, byPair);
    const list = byPair.get(pair) ?? [];
    byPair.set(pair, list);
    list.push({ order: this.#size++, wanted, value });
  }

  /** Those of a namespace whose every pair the labels have, in the order in which they were added. */
  matching(namespace: string, labels: Labels | undefined): readonly T[] {
    const byPair = this.#namespaces.get(namespace);
    if (byPair === undefined) return [];
    const found = [...(byPair.get('') ?? [])];
    for (const name in labels) {
      for (const entry of byPair.get(pairKey(name, labels[name] ?? '')) ?? [])
        if (hasLabels(labels, entry.wanted)) found.push(entry);
    }
    return found.sort((a, b) => a.order - b.order).map(({ value }) => value);
  }
}

function pairKey(name: string, value: string): string {
  return `${name}=${value}`;
}
