/**
 * What one client wants of one resource type, and what it was told (control-plane-contract section 2.1).
 *
 * U1  Wildcard: everything once, then differences. By name: each name asked for is answered, if only by a removal.
 *     With a service come the workloads behind it, now and later; what runs on the client's own node comes unasked.
 * U2  What was sent counts as held, accepted or not: a NACK is not answered by the same again.
 * U3  Types without versions are compared by content while the stream lives, and sent whole on a new one.
 */
import { namedBy, onNode, withMembers } from './resource-set.ts';
import type { PublishedResource, Resources } from './resource-set.ts';

/** What to send; both empty when nothing changed. */
export type Difference = { readonly changed: ReadonlyMap<string, PublishedResource>; readonly removed: readonly string[] };

export type NameChange = { readonly subscribe: readonly string[]; readonly unsubscribe: readonly string[] };

export type SubscriptionOptions = {
  /** Versions are neither sent nor believed. */
  readonly unversioned: boolean;
  /** Names one client may ask for; further ones are answered as unknown. */
  readonly maxNames: number;
  /** The client's own. */
  readonly node?: string | undefined;
};

/** Of what an earlier stream sent, the version alone is known. */
type Held = { readonly version: string; readonly value?: Uint8Array };

const WILDCARD = '*';

export class Subscription {
  readonly #options: SubscriptionOptions;
  readonly #names = new Set<string>();
  readonly #held = new Map<string, Held>();
  /** Names to answer even when nothing changed. */
  readonly #asked = new Set<string>();
  #wildcard: boolean;
  /** What the client was last brought up to; `undefined` when it has to be looked at again. */
  #reached: Resources | undefined;

  /** @param initialVersions what the client holds from an earlier stream */
  constructor(first: NameChange, initialVersions: Readonly<Record<string, string>>, options: SubscriptionOptions) {
    this.#options = options;
    this.#wildcard = first.subscribe.length === 0;
    this.recvNames(first);
    for (const [name, version] of Object.entries(initialVersions)) this.#recvHeld(name, version);
  }

  /** Everything, rather than by name. */
  get wildcard(): boolean {
    return this.#wildcard;
  }

  recvNames(change: NameChange): void {
    for (const name of change.subscribe) {
      if (name === WILDCARD) this.#wildcard = true;
      else this.#ask(name);
    }
    for (const name of change.unsubscribe) {
      if (name === WILDCARD) this.#wildcard = false;
      else this.#forget(name);
    }
    if (change.subscribe.length + change.unsubscribe.length > 0) this.#reached = undefined;
  }

  /** What the client lacks of `resources`; from then on it counts as held (U2). */
  difference(resources: Resources): Difference {
    const changed = new Map<string, PublishedResource>();
    if (resources === this.#reached) return { changed, removed: [] };
    const wanted = this.#wildcard ? resources : this.#wantedByName(resources);
    const removed = new Set([...this.#held.keys()].filter((name) => !wanted.has(name)));
    for (const [name, resource] of wanted) if (!this.#holds(name, resource)) changed.set(name, resource);
    for (const asked of this.#asked) {
      const named = this.#wildcard || this.#names.has(asked) ? namedBy(resources, asked) : [];
      if (named.length === 0) removed.add(asked);
      for (const [name, resource] of pick(resources, withMembers(resources, named)))
        if (!changed.has(name)) changed.set(name, resource);
      // Whoever asked for an address knows the resource neither by name nor by the block that it is in.
      for (const name of named) addAlias(changed, name, asked);
    }
    this.#asked.clear();
    for (const name of removed) this.#held.delete(name);
    for (const [name, { version, value }] of changed) this.#held.set(name, { version, value });
    this.#reached = resources;
    return { changed, removed: [...removed] };
  }

  #wantedByName(resources: Resources): Resources {
    const { node } = this.#options;
    return new Map([
      ...(node === undefined ? [] : pick(resources, onNode(resources, node))),
      ...[...this.#names].flatMap((name) => pick(resources, withMembers(resources, namedBy(resources, name)))),
    ]);
  }

  /** U3. */
  #holds(name: string, resource: PublishedResource): boolean {
    const held = this.#held.get(name);
    if (held === undefined) return false;
    if (!this.#options.unversioned && held.version !== '') return held.version === resource.version;
    return held.value !== undefined && Buffer.compare(held.value, resource.value) === 0;
  }

  /** A client that asks by name tells a new stream here, and only here, what it asked for; "" is still unanswered. */
  #recvHeld(name: string, version: string): void {
    const unanswered = !this.#wildcard && version === '';
    if (!unanswered) this.#held.set(name, { version });
    if (this.#wildcard) return;
    if (unanswered) this.#ask(name);
    else this.#names.add(name);
  }

  #ask(name: string): void {
    if (this.#names.size < this.#options.maxNames) this.#names.add(name);
    if (this.#asked.size < this.#options.maxNames) this.#asked.add(name);
  }

  /** What it brought stays held, so that its removal is told unless another name wants it: the client need not work that out. */
  #forget(name: string): void {
    this.#names.delete(name);
    this.#asked.delete(name);
  }
}

function addAlias(changed: Map<string, PublishedResource>, name: string, asked: string): void {
  const resource = changed.get(name);
  if (resource === undefined || name === asked || resource.aliases.includes(asked)) return;
  changed.set(name, { ...resource, aliases: [...resource.aliases, asked] });
}

function pick(resources: Resources, names: readonly string[]): readonly [string, PublishedResource][] {
  return names.flatMap((name): readonly [string, PublishedResource][] => {
    const resource = resources.get(name);
    return resource === undefined ? [] : [[name, resource]];
  });
}
