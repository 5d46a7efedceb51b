/** The buckets of Istio's histograms: Envoy's defaults, for milliseconds and bytes alike, so that dashboards can compare. */
export const istioBuckets: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000,
];

/** Index of the bucket that holds the value; the last, `+Inf`, is one beyond the list. */
export function bucketOf(value: number): number {
  let index = 0;
  for (const bound of istioBuckets) {
    if (value <= bound) return index;
    index++;
  }
  return index;
}
