/**
 * Services by blocks of addresses (CIDR VIPs, l4-contract section 7.1). A lookup asks once for each prefix length in
 * use on that network, longest first, so its cost does not grow with the number of blocks.
 */
import { ipFamily, ipToBytes } from '../model/ip-address.ts';
import type { IpAddress } from '../model/ip-address.ts';
import type { ServiceAddress } from '../model/service.ts';
import { GroupedIndex } from './grouped-index.ts';
import type { GroupedIndexEdit } from './grouped-index.ts';

/** An address with a prefix length: a block. */
export type ServiceBlock = ServiceAddress & { readonly prefixLength: number };

export function isServiceBlock(address: ServiceAddress): address is ServiceBlock {
  return address.prefixLength !== undefined && address.prefixLength < (ipFamily(address.ip) === 4 ? 32 : 128);
}

export type CidrHit<V> = { readonly value: V; readonly prefixLength: number };

type LengthInUse = { readonly prefixLength: number; readonly blocks: number };

export class CidrIndex<V> {
  readonly #blocks: GroupedIndex<V>;
  readonly #lengths: GroupedIndex<LengthInUse>;

  private constructor(blocks: GroupedIndex<V>, lengths: GroupedIndex<LengthInUse>) {
    this.#blocks = blocks;
    this.#lengths = lengths;
  }

  static empty<V>(): CidrIndex<V> {
    return new CidrIndex<V>(GroupedIndex.empty(), GroupedIndex.empty());
  }

  /** Every member whose block holds the address, longest prefix first. */
  lookup(network: string, ip: IpAddress): readonly CidrHit<V>[] {
    const inUse = this.#lengths.members(lengthGroup(network, ip));
    if (inUse.length === 0) return [];
    const bytes = ipToBytes(ip);
    return inUse
      .toSorted((a, b) => b.prefixLength - a.prefixLength)
      .flatMap(({ prefixLength }) =>
        this.#blocks.members(blockGroup(network, bytes, prefixLength)).map((value) => ({ value, prefixLength })),
      );
  }

  edit(): CidrIndexEdit<V> {
    const { edit, lengths } = { edit: this.#blocks.edit(), lengths: this.#lengths.edit() };
    return new CidrIndexEdit<V>(edit, lengths, () => {
      const [blocks, used] = [edit.done(), lengths.done()];
      return blocks === this.#blocks && used === this.#lengths ? this : new CidrIndex<V>(blocks, used);
    });
  }
}

/** Changes on their way to the next version. */
export class CidrIndexEdit<V> {
  readonly #blocks: GroupedIndexEdit<V>;
  readonly #lengths: GroupedIndexEdit<LengthInUse>;
  /** The new version. The edit is spent. */
  readonly done: () => CidrIndex<V>;

  constructor(blocks: GroupedIndexEdit<V>, lengths: GroupedIndexEdit<LengthInUse>, done: () => CidrIndex<V>) {
    this.#blocks = blocks;
    this.#lengths = lengths;
    this.done = done;
  }

  set(block: ServiceBlock, member: string, value: V): void {
    const group = blockGroup(block.network, ipToBytes(block.ip), block.prefixLength);
    if (this.#blocks.get(group, member) === undefined) this.#count(block, 1);
    this.#blocks.set(group, member, value);
  }

  delete(block: ServiceBlock, member: string): void {
    const group = blockGroup(block.network, ipToBytes(block.ip), block.prefixLength);
    if (this.#blocks.get(group, member) === undefined) return;
    this.#count(block, -1);
    this.#blocks.delete(group, member);
  }

  #count({ network, ip, prefixLength }: ServiceBlock, change: 1 | -1): void {
    const group = lengthGroup(network, ip);
    const blocks = (this.#lengths.get(group, String(prefixLength))?.blocks ?? 0) + change;
    if (blocks === 0) this.#lengths.delete(group, String(prefixLength));
    else this.#lengths.set(group, String(prefixLength), { prefixLength, blocks });
  }
}

function lengthGroup(network: string, ip: IpAddress): string {
  return `${network}/${ipFamily(ip)}`;
}

function blockGroup(network: string, bytes: Uint8Array, prefixLength: number): string {
  const masked = Array.from(bytes, (byte, at) => {
    const keep = Math.min(8, Math.max(0, prefixLength - at * 8));
    return byte & ((0xff << (8 - keep)) & 0xff);
  });
  return `${network}/${masked.join('.')}/${prefixLength}`;
}
