/**
 * The objects of one kind, and which version of each is in force.
 *
 * S1  An object that is wrong is left out whole; its last good version stays in force while the object lives.
 * S2  A policy that is wrong and has no good version is stood for: what it kept out stays out.
 * S3  An object that was deleted and made anew is another object: nothing of the first one stays.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Manifest } from '../manifest/collections.ts';
import type { ClusterObject } from './cluster-object.ts';
import type { StandIn } from './stand-in.ts';

export type StoredObject = {
  readonly object: ClusterObject;
  /** In force. */
  readonly manifest?: Manifest;
  /** In force in its place (S2). */
  readonly standIn?: StandIn;
};

/** What a change was worth: `status` says nothing to the derivation, though something to whoever writes statuses. */
export type ChangeWeight = 'none' | 'status' | 'configuration';

export class ObjectStore {
  readonly #objects = new Map<string, StoredObject>();

  /** In the order in which they came. */
  get objects(): Iterable<StoredObject> {
    return this.#objects.values();
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  replaceAll(objects: readonly ClusterObject[]): ChangeWeight {
    const named = new Set(objects.map(({ key }) => key));
    const removed = [...this.#objects.keys()].filter((key) => !named.has(key));
    for (const key of removed) this.#objects.delete(key);
    return objects.map((object) => this.put(object)).reduce(heavier, removed.length > 0 ? 'configuration' : 'none');
  }

  put(object: ClusterObject): ChangeWeight {
    const before = this.#objects.get(object.key);
    const after = stored(object, before);
    this.#objects.set(object.key, after);
    if (before === undefined) return 'configuration';
    if (!isDeepStrictEqual(before.manifest, after.manifest)) return 'configuration';
    if (!isDeepStrictEqual(before.standIn, after.standIn)) return 'configuration';
    if (!isDeepStrictEqual(findingsOf(before), findingsOf(after))) return 'configuration';
    return before.object.resourceVersion === object.resourceVersion ? 'none' : 'status';
  }

  remove(key: string): ChangeWeight {
    return this.#objects.delete(key) ? 'configuration' : 'none';
  }
}

/** S1, S2, S3; of equal versions the older is kept, so that a list that is read again does not double the memory. */
function stored(object: ClusterObject, before: StoredObject | undefined): StoredObject {
  const { reading } = object;
  if (reading.kind === 'foreign') return { object };
  const last = before?.object.uid === object.uid ? before.manifest : undefined;
  if (reading.kind === 'wrong') return last === undefined ? stoodFor(object, reading.standIn) : { object, manifest: last };
  if (last === undefined || !isDeepStrictEqual(last, reading.manifest)) return { object, manifest: reading.manifest };
  return { object: { ...object, reading: { kind: 'good', manifest: last } }, manifest: last };
}

function stoodFor(object: ClusterObject, standIn: StandIn | undefined): StoredObject {
  return standIn === undefined ? { object } : { object, standIn };
}

function findingsOf({ object }: StoredObject): unknown {
  return object.reading.kind === 'wrong' ? object.reading.findings : undefined;
}

export function heavier(a: ChangeWeight, b: ChangeWeight): ChangeWeight {
  const weights: readonly ChangeWeight[] = ['none', 'status', 'configuration'];
  return weights.indexOf(a) >= weights.indexOf(b) ? a : b;
}
