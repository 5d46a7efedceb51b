import type { Random } from '../lifecycle/random.ts';

/** One item at random, in proportion to its weight; `undefined` when no weight is positive. */
export function chooseWeighted<T>(items: readonly T[], weightOf: (item: T) => number, random: Random): T | undefined {
  let total = 0;
  for (const item of items) total += weightOf(item);
  let point = random.unit() * total;
  let last: T | undefined;
  for (const item of items) {
    const weight = weightOf(item);
    if (weight <= 0) continue;
    point -= weight;
    if (point < 0) return item;
    // Rounding can leave a point of exactly 0 after the last item.
    last = item;
  }
  return last;
}
