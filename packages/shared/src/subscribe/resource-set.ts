/** What a control plane publishes: immutable, replaced whole at each change. */
import { parseIp } from '../model/ip-address.ts';
import type { IpAddress } from '../model/ip-address.ts';
import type { ServiceBlock } from '../snapshot/cidr-index.ts';
import { CidrIndex, isServiceBlock } from '../snapshot/cidr-index.ts';

export type PublishedResource = {
  /** Content hash, or "" where the type has none. */
  readonly version: string;
  /** The encoded resource. */
  readonly value: Uint8Array;
  /** Other names it may be asked by, such as `network/ip`; a block `network/ip/length` by each address in it. */
  readonly aliases: readonly string[];
  /** Names of what it stands behind, as a pod behind its services: whoever asks for one of these gets it too. @default none */
  readonly behind?: readonly string[];
  /** The node it runs on, whose proxy gets it unasked. @default none */
  readonly node?: string;
};

/** Resources of one type by name. */
export type Resources = ReadonlyMap<string, PublishedResource>;

/** Resources by type URL. */
export type ResourceSet = ReadonlyMap<string, Resources>;

type NameIndex = {
  readonly byAlias: ReadonlyMap<string, readonly string[]>;
  readonly byBlock: CidrIndex<string>;
  readonly members: ReadonlyMap<string, readonly string[]>;
  readonly byNode: ReadonlyMap<string, readonly string[]>;
};

/**
 * Made once for each published map: every client that asks by name uses the same index.
 * Published maps are never edited, so that the memory cannot grow stale; it goes with the map.
 */
const indexes = new WeakMap<Resources, NameIndex>();

/** The resources of an asked name: that of the name, or all with the alias, or all with a block around the address. */
export function namedBy(resources: Resources, asked: string): readonly string[] {
  if (resources.has(asked)) return [asked];
  const { byAlias, byBlock } = indexOf(resources);
  const address = parseAddressName(asked);
  const blocks = address === undefined ? [] : byBlock.lookup(address.network, address.ip).map(({ value }) => value);
  return [...(byAlias.get(asked) ?? []), ...blocks];
}

/** The resources of these names, and what stands behind them. */
export function withMembers(resources: Resources, names: readonly string[]): readonly string[] {
  const { members } = indexOf(resources);
  return [...new Set([...names, ...names.flatMap((name) => members.get(name) ?? [])])];
}

/** What runs on a node. */
export function onNode(resources: Resources, node: string): readonly string[] {
  return indexOf(resources).byNode.get(node) ?? [];
}

function indexOf(resources: Resources): NameIndex {
  let index = indexes.get(resources);
  if (index === undefined) {
    index = createIndex(resources);
    indexes.set(resources, index);
  }
  return index;
}

function createIndex(resources: Resources): NameIndex {
  const byAlias = new Map<string, string[]>();
  const members = new Map<string, string[]>();
  const byNode = new Map<string, string[]>();
  const blocks = CidrIndex.empty<string>().edit();
  for (const [name, { aliases, behind = [], node = '' }] of resources) {
    for (const alias of aliases) {
      append(byAlias, alias, name);
      const block = parseBlockName(alias);
      if (block !== undefined) blocks.set(block, name, name);
    }
    for (const whole of behind) append(members, whole, name);
    if (node !== '') append(byNode, node, name);
  }
  return { byAlias, byBlock: blocks.done(), members, byNode };
}

function append(groups: Map<string, string[]>, group: string, name: string): void {
  const names = groups.get(group);
  if (names === undefined) groups.set(group, [name]);
  else names.push(name);
}

/** `network/ip`; a network may be "". */
function parseAddressName(name: string): { readonly network: string; readonly ip: IpAddress } | undefined {
  const slash = name.lastIndexOf('/');
  const ip = slash < 0 ? undefined : parseIp(name.slice(slash + 1));
  return ip === undefined ? undefined : { network: name.slice(0, slash), ip };
}

/** `network/ip/length`. */
function parseBlockName(alias: string): ServiceBlock | undefined {
  const slash = alias.lastIndexOf('/');
  const address = parseAddressName(alias.slice(0, Math.max(0, slash)));
  if (address === undefined || !/^\d{1,3}$/.test(alias.slice(slash + 1))) return undefined;
  const block = { ...address, prefixLength: Number(alias.slice(slash + 1)) };
  return isServiceBlock(block) ? block : undefined;
}
