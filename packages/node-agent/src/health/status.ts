/** What the agent says of its node at /status: how many pods are in the mesh, and which have connections that are not. */
import type { HttpAnswer } from '@clearmesh/shared/admin/http-endpoint';
import type { CaptureCounts, OlderCount } from '../capture/captures.ts';

export type StatusDeps = { readonly counts: () => CaptureCounts; readonly countOlder: () => readonly OlderCount[] };

export function statusAnswer({ counts, countOlder }: StatusDeps): HttpAnswer {
  const mostFirst = countOlder().toSorted((left, right) => right.connections - left.connections);
  const uncaptured = mostFirst.map(({ namespace, name, connections }) => ({ pod: `${namespace}/${name}`, connections }));
  const body = `${JSON.stringify({ pods: counts(), uncapturedConnections: uncaptured }, undefined, 2)}\n`;
  return { status: 200, headers: { 'content-type': 'application/json' }, body };
}
