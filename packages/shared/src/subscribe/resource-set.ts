/** What a control plane publishes: immutable, replaced whole at each change. */

export type PublishedResource = {
  /** Content hash, or "" where the type has none. */
  readonly version: string;
  /** The encoded resource. */
  readonly value: Uint8Array;
  /** Other names it may be asked by, such as `network/ip`. */
  readonly aliases: readonly string[];
};

/** Resources of one type by name. */
export type Resources = ReadonlyMap<string, PublishedResource>;

/** Resources by type URL. */
export type ResourceSet = ReadonlyMap<string, Resources>;

/**
 * Names by alias, made once for each published map: every client that asks by name uses the same index.
 * Published maps are never edited, so that the memory cannot grow stale; it goes with the map.
 */
const indexes = new WeakMap<Resources, ReadonlyMap<string, readonly string[]>>();

/** The names that an asked name stands for: itself, or every resource with that alias; none when unknown. */
export function resolveName(resources: Resources, asked: string): readonly string[] {
  if (resources.has(asked)) return [asked];
  let index = indexes.get(resources);
  if (index === undefined) {
    index = aliasIndex(resources);
    indexes.set(resources, index);
  }
  return index.get(asked) ?? [];
}

function aliasIndex(resources: Resources): ReadonlyMap<string, readonly string[]> {
  const index = new Map<string, string[]>();
  for (const [name, { aliases }] of resources) {
    for (const alias of aliases) {
      const names = index.get(alias);
      if (names === undefined) index.set(alias, [name]);
      else names.push(name);
    }
  }
  return index;
}
