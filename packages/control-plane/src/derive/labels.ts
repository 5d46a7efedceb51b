import type { LabelExpression, LabelSelector } from '../manifest/gateway.ts';
import type { Labels } from '../manifest/metadata.ts';

/** True when `labels` has every pair of `wanted`; no pairs at all match. */
export function hasLabels(labels: Labels | undefined, wanted: Labels): boolean {
  // Asked for each pair of workload and selector: no list is made.
  for (const key in wanted) if (labels?.[key] !== wanted[key]) return false;
  return true;
}

/** True when the object belongs to this revision: its `istio.io/rev` label is absent or names it. */
export function isOfRevision(labels: Labels | undefined, revision: string): boolean {
  return (labels?.['istio.io/rev'] ?? revision) === revision;
}

/** A Kubernetes label selector; all of its parts must hold, and an empty one holds. */
export function matchesSelector(labels: Labels, { matchLabels = {}, matchExpressions = [] }: LabelSelector): boolean {
  return hasLabels(labels, matchLabels) && matchExpressions.every((expression) => holds(labels, expression));
}

function holds(labels: Labels, { key, operator, values = [] }: LabelExpression): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}
