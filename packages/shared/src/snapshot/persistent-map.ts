/**
 * An immutable map from strings whose versions share what did not change: a hash trie of 32-way branches over leaves
 * of at most 16 entries. A change copies one leaf and the branches above it, so at 10,000 entries about 100 pointers,
 * whatever the size of the rest; copying a plain Map would move all 10,000 for every push.
 *
 *   version n   root ── branch ── leaf a   leaf b
 *                          │                  │ shared
 *   version n+1 root' ─ branch' ─ leaf a'  leaf b
 *
 * P1  A map never changes after `done()`; only nodes that an edit made itself are written to.
 * P2  An edit that changes nothing gives back the very map it started from.
 * P3  Keys come from the control plane, which is trusted not to search for hash collisions; were it to, full
 *     collisions share one leaf and cost time linear in their number, never wrong answers.
 */

type Entry<V> = { readonly hash: number; readonly key: string; readonly value: V };

/** `owner` is the edit that may write to the node; a finished map's nodes have an owner that nobody holds any more. */
type Leaf<V> = { readonly kind: 'leaf'; readonly owner: symbol; readonly entries: Entry<V>[] };
type Branch<V> = { readonly kind: 'branch'; readonly owner: symbol; readonly children: (Node<V> | undefined)[] };
type Node<V> = Leaf<V> | Branch<V>;

const bits = 5;
const fanOut = 1 << bits;
const leafLimit = 16;
/** Below this depth all 32 bits of the hash are used up. */
const lastShift = 30;

export class PersistentMap<V> implements Iterable<V> {
  readonly #root: Node<V> | undefined;
  /** How many entries there are. */
  readonly size: number;
  #values: readonly V[] | undefined;

  private constructor(root: Node<V> | undefined, size: number) {
    this.#root = root;
    this.size = size;
  }

  static empty<V>(): PersistentMap<V> {
    return new PersistentMap<V>(undefined, 0);
  }

  get(key: string): V | undefined {
    return find(this.#root, key, hashOf(key));
  }

  /** All values, in no particular order; made once for each version. */
  values(): readonly V[] {
    this.#values ??= [...this];
    return this.#values;
  }

  *[Symbol.iterator](): Iterator<V> {
    if (this.#root !== undefined) yield* walk(this.#root);
  }

  /** Starts a version of its own; this one stays as it is. */
  edit(): PersistentMapEdit<V> {
    return new PersistentMapEdit<V>(this, this.#root, (root, size) => new PersistentMap<V>(root, size));
  }
}

/** Changes on their way to the next version. */
export class PersistentMapEdit<V> {
  #base: PersistentMap<V>;
  readonly #finish: (root: Node<V> | undefined, size: number) => PersistentMap<V>;
  #owner: symbol = Symbol('edit');
  #root: Node<V> | undefined;
  #baseRoot: Node<V> | undefined;
  #size: number;

  constructor(
    base: PersistentMap<V>,
    root: Node<V> | undefined,
    finish: (root: Node<V> | undefined, size: number) => PersistentMap<V>,
  ) {
    this.#base = base;
    this.#finish = finish;
    this.#root = root;
    this.#baseRoot = root;
    this.#size = base.size;
  }

  get(key: string): V | undefined {
    return find(this.#root, key, hashOf(key));
  }

  set(key: string, value: V): void {
    this.#root = this.#put(this.#root, { hash: hashOf(key), key, value }, 0);
  }

  delete(key: string): boolean {
    const before = this.#size;
    if (this.#root !== undefined) this.#root = this.#drop(this.#root, key, hashOf(key), 0);
    return this.#size < before;
  }

  /** The new version. The edit may go on; what it writes afterwards does not show in this version (P1). */
  done(): PersistentMap<V> {
    if (this.#root !== this.#baseRoot) {
      this.#owner = Symbol('edit');
      this.#base = this.#finish(this.#root, this.#size);
      this.#baseRoot = this.#root;
    }
    return this.#base;
  }

  #put(node: Node<V> | undefined, entry: Entry<V>, shift: number): Node<V> {
    if (node === undefined) {
      this.#size++;
      return { kind: 'leaf', owner: this.#owner, entries: [entry] };
    }
    if (node.kind === 'leaf') return this.#putInLeaf(node, entry, shift);
    const slot = (entry.hash >>> shift) & (fanOut - 1);
    const child = this.#put(node.children[slot], entry, shift + bits);
    return child === node.children[slot] ? node : this.#withChild(node, slot, child);
  }

  #putInLeaf(leaf: Leaf<V>, entry: Entry<V>, shift: number): Node<V> {
    const at = leaf.entries.findIndex((candidate) => candidate.hash === entry.hash && candidate.key === entry.key);
    if (at >= 0 && leaf.entries[at]?.value === entry.value) return leaf;
    if (at < 0) this.#size++;
    const own = leaf.owner === this.#owner ? leaf : { kind: 'leaf' as const, owner: this.#owner, entries: [...leaf.entries] };
    if (at >= 0) own.entries[at] = entry;
    else own.entries.push(entry);
    return own.entries.length <= leafLimit || shift > lastShift ? own : this.#split(own, shift);
  }

  #split(leaf: Leaf<V>, shift: number): Branch<V> {
    const children: (Node<V> | undefined)[] = Array.from({ length: fanOut });
    for (const entry of leaf.entries) {
      const slot = (entry.hash >>> shift) & (fanOut - 1);
      const child = children[slot];
      if (child?.kind === 'leaf') child.entries.push(entry);
      else children[slot] = { kind: 'leaf', owner: this.#owner, entries: [entry] };
    }
    return { kind: 'branch', owner: this.#owner, children };
  }

  /** An emptied branch stays: it is at most 32 pointers, and a mesh that shrank usually grows again. */
  #drop(node: Node<V>, key: string, hash: number, shift: number): Node<V> | undefined {
    if (node.kind === 'branch') {
      const slot = (hash >>> shift) & (fanOut - 1);
      const child = node.children[slot];
      if (child === undefined) return node;
      const next = this.#drop(child, key, hash, shift + bits);
      return next === child ? node : this.#withChild(node, slot, next);
    }
    const at = node.entries.findIndex((candidate) => candidate.hash === hash && candidate.key === key);
    if (at < 0) return node;
    this.#size--;
    if (node.entries.length === 1) return undefined;
    return { kind: 'leaf', owner: this.#owner, entries: node.entries.toSpliced(at, 1) };
  }

  #withChild(branch: Branch<V>, slot: number, child: Node<V> | undefined): Branch<V> {
    const own =
      branch.owner === this.#owner ? branch : { kind: 'branch' as const, owner: this.#owner, children: [...branch.children] };
    own.children[slot] = child;
    return own;
  }
}

function find<V>(root: Node<V> | undefined, key: string, hash: number): V | undefined {
  let node = root;
  for (let shift = 0; node?.kind === 'branch'; shift += bits) node = node.children[(hash >>> shift) & (fanOut - 1)];
  if (node === undefined) return undefined;
  for (const entry of node.entries) if (entry.hash === hash && entry.key === key) return entry.value;
  return undefined;
}

function* walk<V>(node: Node<V>): Generator<V> {
  if (node.kind === 'leaf') {
    for (const entry of node.entries) yield entry.value;
    return;
  }
  for (const child of node.children) if (child !== undefined) yield* walk(child);
}

/** FNV-1a over UTF-16 units with a final mix, since the trie uses the low bits first. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return (hash ^ (hash >>> 12)) >>> 0;
}
