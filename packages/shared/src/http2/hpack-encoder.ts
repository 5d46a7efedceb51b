/**
 * Fields to header blocks (RFC 7541 section 6). Strings go as they are, without Huffman code: that takes time on both sides,
 * and what repeats goes as an index anyway.
 *
 * E1  A field that may come again is entered into the table; one that never does (a trace, a client's port) is not, so that
 *     it drives out none that does.
 * E2  A table that the peer made smaller is announced before the next field (section 4.2), the smallest size in between
 *     included.
 */
import { DynamicTable, staticIndex } from './hpack-table.ts';
import type { Field } from './hpack-table.ts';

export type EncoderOptions = {
  /** E1. Names of fields that are new each time. @default none */
  readonly unique?: ReadonlySet<string>;
  /** Most bytes of the table, whatever the peer allows. @default 4096 */
  readonly maxTableBytes?: number;
};

const noPlaces = (): Map<string, number> => new Map();
const none: ReadonlySet<string> = new Set();
/** An integer and its prefix, at most. */
const integerBytes = 6;

export class HpackEncoder {
  readonly #unique: ReadonlySet<string>;
  readonly #maxTableBytes: number;
  /** By name, then by value: a key of both would be a new string each time. */
  readonly #places = new Map<string, Map<string, number>>();
  readonly #table: DynamicTable;
  /** E2. The smallest size since the last block; undefined when nothing is to be announced. */
  #smallest: number | undefined;
  #bytes: Buffer = Buffer.allocUnsafe(512);
  #at = 0;

  constructor(options: EncoderOptions = {}) {
    this.#unique = options.unique ?? none;
    this.#maxTableBytes = options.maxTableBytes ?? 4096;
    this.#table = new DynamicTable(this.#maxTableBytes, (field, place) => {
      this.#forget(field, place);
    });
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  recvTableSize(bytes: number): void {
    const size = Math.min(bytes, this.#maxTableBytes);
    if (size === this.#table.maxSize) return;
    this.#table.resize(size);
    this.#smallest = Math.min(size, this.#smallest ?? size);
  }

  /** @param fields names and values in turn, of bytes only; the block is good until the next call */
  encode(fields: readonly string[]): Buffer {
    this.#reserve(fields);
    this.#at = 0;
    this.#announceSize();
    for (let i = 0; i + 1 < fields.length; i += 2) this.#field(fields[i] ?? '', fields[i + 1] ?? '');
    return this.#bytes.subarray(0, this.#at);
  }

  #reserve(fields: readonly string[]): void {
    let most = 2 * integerBytes;
    for (const text of fields) most += text.length + 2 * integerBytes;
    if (this.#bytes.length < most) this.#bytes = Buffer.allocUnsafe(most);
  }

  /** E2. */
  #announceSize(): void {
    if (this.#smallest === undefined) return;
    if (this.#smallest < this.#table.maxSize) this.#integer(0x20, 0x1f, this.#smallest);
    this.#integer(0x20, 0x1f, this.#table.maxSize);
    this.#smallest = undefined;
  }

  #field(name: string, value: string): void {
    const known = staticIndex(name, value);
    if (known.pair > 0) return this.#integer(0x80, 0x7f, known.pair);
    // E1.
    if (this.#unique.has(name)) return this.#literal(0x00, 0x0f, known.name, name, value);
    const places = this.#places.get(name);
    const place = places?.get(value);
    if (place !== undefined) return this.#integer(0x80, 0x7f, this.#table.indexOf(place));
    const added = this.#table.add({ name, value });
    if (added >= 0) this.#places.getOrInsertComputed(name, noPlaces).set(value, added);
    this.#literal(0x40, 0x3f, known.name, name, value);
  }

  #forget({ name, value }: Field, place: number): void {
    const places = this.#places.get(name);
    if (places?.get(value) !== place) return;
    places.delete(value);
    if (places.size === 0) this.#places.delete(name);
  }

  #literal(form: number, mask: number, index: number, name: string, value: string): void {
    this.#integer(form, mask, index);
    if (index === 0) this.#string(name);
    this.#string(value);
  }

  #string(text: string): void {
    this.#integer(0, 0x7f, text.length);
    this.#at += this.#bytes.write(text, this.#at, 'latin1');
  }

  /** Section 5.1. */
  #integer(form: number, mask: number, value: number): void {
    if (value < mask) {
      this.#bytes[this.#at++] = form | value;
      return;
    }
    this.#bytes[this.#at++] = form | mask;
    let rest = value - mask;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes[this.#at++] = (rest % 128) + 128;
    this.#bytes[this.#at++] = rest;
  }
}
