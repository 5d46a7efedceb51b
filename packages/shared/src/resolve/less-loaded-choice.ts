import type { Random } from '../lifecycle/random.ts';
import { chooseWeighted } from './weighted-choice.ts';

/**
 * Of two different items drawn by weight, the one with less load for its weight; the first one when they are equal, so that
 * weights hold where nothing is loaded. `undefined` when no weight is positive.
 *
 * Two draws are nearly as good as looking at all, and do not send everybody who looks at the same time to the same place
 * (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 1996).
 */
export function chooseLessLoaded<T>(
  items: readonly T[],
  weightOf: (item: T) => number,
  loadOf: (item: T) => number,
  random: Random,
): T | undefined {
  const first = chooseWeighted(items, weightOf, random);
  if (first === undefined) return undefined;
  const others = items.filter((item) => item !== first);
  const second = chooseWeighted(others, weightOf, random);
  if (second === undefined) return first;
  return loadOf(second) * weightOf(first) < loadOf(first) * weightOf(second) ? second : first;
}
