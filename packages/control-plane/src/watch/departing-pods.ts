/**
 * Pods whose manifest is gone while their program still runs: as an API server would show them, terminating, until
 * whoever runs them says no more of them. Node proxies cut what leads to a workload that vanished, so that a pod must
 * not vanish before what it had under way has ended.
 */
import { objectName } from '../manifest/collections.ts';
import { withFacts } from './status-file.ts';
import type { Collections } from '../manifest/collections.ts';
import type { PodManifest } from '../manifest/pod.ts';
import type { StatusFile } from './status-file.ts';

/**
 * @param before pods of the reading before this one, departing ones among them
 * @param now becomes the `deletionTimestamp` of those that have none
 */
export function withDeparting(
  collections: Collections,
  before: readonly PodManifest[],
  status: StatusFile,
  now: string,
): Collections {
  const named = new Set(collections.pods.map(({ metadata }) => objectName(metadata)));
  const departing = before.flatMap((pod) => {
    const name = objectName(pod.metadata);
    const known = status.get(name);
    if (named.has(name) || known === undefined) return [];
    return [withFacts({ ...pod, metadata: { deletionTimestamp: now, ...pod.metadata } }, known)];
  });
  if (departing.length === 0) return collections;
  const pods = [...collections.pods, ...departing];
  return { ...collections, pods: pods.sort((a, b) => (objectName(a.metadata) < objectName(b.metadata) ? -1 : 1)) };
}
