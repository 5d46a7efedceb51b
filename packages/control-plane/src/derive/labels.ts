import type { Labels } from '../manifest/metadata.ts';

/** True when `labels` has every pair of `wanted`; no pairs at all match. */
export function hasLabels(labels: Labels | undefined, wanted: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => labels?.[key] === value);
}

/** True when the object belongs to this revision: its `istio.io/rev` label is absent or names it. */
export function isOfRevision(labels: Labels | undefined, revision: string): boolean {
  return (labels?.['istio.io/rev'] ?? revision) === revision;
}
