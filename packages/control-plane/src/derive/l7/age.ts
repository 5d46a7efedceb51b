/** Age decides between objects that say different things (Gateway API): the older one wins, then the name. */
import { objectName } from '../../manifest/collections.ts';
import { parseTime } from '../../manifest/time.ts';
import type { NamespacedMetadata } from '../../manifest/metadata.ts';

type Aged = { readonly metadata: NamespacedMetadata };

/** Milliseconds since the epoch; `undefined` in a directory, where the name decides. */
export function createdAtMs({ metadata }: Aged): number | undefined {
  const at = metadata.creationTimestamp === undefined ? undefined : parseTime(metadata.creationTimestamp);
  return at === undefined ? undefined : Math.max(0, at);
}

/** An order for `sort`; an object without a time is older than any with one, as if it had always been there. */
export function byAge(a: Aged, b: Aged): number {
  const difference = (createdAtMs(a) ?? 0) - (createdAtMs(b) ?? 0);
  if (difference !== 0) return difference;
  return objectName(a.metadata) < objectName(b.metadata) ? -1 : 1;
}
