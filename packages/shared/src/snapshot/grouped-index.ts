/**
 * An immutable index from a group (an address, a hostname, a service) to its members by key, with versions that share
 * all untouched groups. A service with thousands of endpoints is one group: replacing an endpoint copies a few nodes.
 */
import { PersistentMap } from './persistent-map.ts';
import type { PersistentMapEdit } from './persistent-map.ts';

export class GroupedIndex<V> {
  readonly #groups: PersistentMap<PersistentMap<V>>;

  private constructor(groups: PersistentMap<PersistentMap<V>>) {
    this.#groups = groups;
  }

  static empty<V>(): GroupedIndex<V> {
    return new GroupedIndex<V>(PersistentMap.empty());
  }

  /** The members of a group in no particular order; the same array as long as the group did not change. */
  members(group: string): readonly V[] {
    return this.#groups.get(group)?.values() ?? [];
  }

  /** How many groups have a member. */
  get size(): number {
    return this.#groups.size;
  }

  edit(): GroupedIndexEdit<V> {
    return new GroupedIndexEdit<V>(this, this.#groups, (groups) => new GroupedIndex<V>(groups));
  }
}

/** Changes on their way to the next version; touched groups stay open until the end, so that a batch copies each once. */
export class GroupedIndexEdit<V> {
  readonly #base: GroupedIndex<V>;
  readonly #groups: PersistentMap<PersistentMap<V>>;
  readonly #finish: (groups: PersistentMap<PersistentMap<V>>) => GroupedIndex<V>;
  readonly #open = new Map<string, PersistentMapEdit<V>>();

  constructor(
    base: GroupedIndex<V>,
    groups: PersistentMap<PersistentMap<V>>,
    finish: (groups: PersistentMap<PersistentMap<V>>) => GroupedIndex<V>,
  ) {
    this.#base = base;
    this.#groups = groups;
    this.#finish = finish;
  }

  get(group: string, member: string): V | undefined {
    const open = this.#open.get(group);
    return open === undefined ? this.#groups.get(group)?.get(member) : open.get(member);
  }

  set(group: string, member: string, value: V): void {
    this.#group(group).set(member, value);
  }

  delete(group: string, member: string): void {
    this.#group(group).delete(member);
  }

  /** The new version. The edit is spent. */
  done(): GroupedIndex<V> {
    const groups = this.#groups.edit();
    for (const [key, edit] of this.#open) {
      const members = edit.done();
      if (members.size === 0) groups.delete(key);
      else groups.set(key, members);
    }
    const next = groups.done();
    return next === this.#groups ? this.#base : this.#finish(next);
  }

  #group(key: string): PersistentMapEdit<V> {
    const open = this.#open.get(key) ?? (this.#groups.get(key) ?? PersistentMap.empty<V>()).edit();
    this.#open.set(key, open);
    return open;
  }
}
