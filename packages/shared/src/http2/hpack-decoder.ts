/**
 * Header blocks to fields (RFC 7541 sections 3 and 6).
 *
 * D1  The size of the dynamic table changes at the beginning of a block only, and never beyond what we allowed (section 4.2).
 * D2  An integer is at most 2^28-1; longer ones are an error (section 5.1 leaves the limit to us).
 * D3  Index zero, and an index beyond both tables, are errors (sections 2.3.3 and 6.1).
 * D4  Fields beyond the limits are not kept, but the block is read to its end: both sides' tables must stay the same
 *     (RFC 9113 section 10.5.1).
 */
import { decodeHuffman, longestDecoded } from './hpack-huffman.ts';
import { DynamicTable, sizeOf } from './hpack-table.ts';
import type { Field } from './hpack-table.ts';

export type DecoderOptions = {
  /** Bytes of a list, each field with 32 more (RFC 9113 section 6.5.2). */
  readonly maxListBytes: number;
  /** @default 64; HBONE needs half a dozen */
  readonly maxFields?: number;
  /** Bytes of the dynamic table. @default 4096 */
  readonly maxTableBytes?: number;
};

export type DecodedBlock =
  /** Names and values in turn. */
  | { readonly kind: 'fields'; readonly fields: readonly string[] }
  | { readonly kind: 'too-large' }
  /** COMPRESSION_ERROR of the connection (RFC 9113 section 4.3). */
  | { readonly kind: 'broken'; readonly detail: string };

const maxInteger = 2 ** 28 - 1;

/** What the decoder itself throws and catches. */
class BrokenBlock extends Error {}

export class HpackDecoder {
  readonly #maxListBytes: number;
  readonly #maxFields: number;
  readonly #maxTableBytes: number;
  readonly #table: DynamicTable;
  #block: Buffer = Buffer.alloc(0);
  #at = 0;
  #scratch: Buffer = Buffer.alloc(0);

  constructor(options: DecoderOptions) {
    this.#maxListBytes = options.maxListBytes;
    this.#maxFields = options.maxFields ?? 64;
    this.#maxTableBytes = options.maxTableBytes ?? 4096;
    this.#table = new DynamicTable(this.#maxTableBytes);
  }

  decode(block: Buffer): DecodedBlock {
    this.#block = block;
    this.#at = 0;
    try {
      this.#resizeTable();
      return this.#fields();
    } catch (thrown) {
      if (thrown instanceof BrokenBlock) return { kind: 'broken', detail: thrown.message };
      throw thrown;
    }
  }

  /** D1. */
  #resizeTable(): void {
    while (((this.#block[this.#at] ?? 0) & 0xe0) === 0x20) {
      const size = this.#integer(0x1f);
      if (size > this.#maxTableBytes) throw new BrokenBlock(`a table of ${size} bytes, of ${this.#maxTableBytes} allowed`);
      this.#table.resize(size);
    }
  }

  #fields(): DecodedBlock {
    const fields: string[] = [];
    let listBytes = 0;
    let count = 0;
    while (this.#at < this.#block.length) {
      const { name, value } = this.#field();
      listBytes += sizeOf(name, value);
      count += 1;
      // D4.
      if (count <= this.#maxFields && listBytes <= this.#maxListBytes) fields.push(name, value);
    }
    return count <= this.#maxFields && listBytes <= this.#maxListBytes ? { kind: 'fields', fields } : { kind: 'too-large' };
  }

  /** The forms of section 6, by the first bits of a field. */
  #field(): Field {
    const first = this.#block[this.#at] ?? 0;
    if (first >= 0x80) return this.#entry(this.#integer(0x7f));
    if (first >= 0x40) {
      const field = this.#literal(0x3f);
      this.#table.add(field);
      return field;
    }
    if (first >= 0x20) throw new BrokenBlock('the table changes its size in the middle of a block');
    return this.#literal(0x0f);
  }

  #literal(prefix: number): Field {
    const index = this.#integer(prefix);
    const name = index === 0 ? this.#string() : this.#entry(index).name;
    return { name, value: this.#string() };
  }

  /** D3. */
  #entry(index: number): Field {
    const found = this.#table.at(index);
    if (found === undefined) throw new BrokenBlock(`there is no field ${index}`);
    return found;
  }

  /** Section 5.2. */
  #string(): string {
    const huffman = (this.#block[this.#at] ?? 0) >= 0x80;
    const length = this.#integer(0x7f);
    const from = this.#at;
    const to = from + length;
    if (to > this.#block.length) throw new BrokenBlock('a string goes on after the end of its block');
    this.#at = to;
    if (!huffman) return this.#block.toString('latin1', from, to);
    if (this.#scratch.length < longestDecoded(length)) this.#scratch = Buffer.allocUnsafe(longestDecoded(length) + 256);
    const count = decodeHuffman(this.#block, from, to, this.#scratch);
    if (count < 0) throw new BrokenBlock('a string is no Huffman code');
    return this.#scratch.toString('latin1', 0, count);
  }

  /** D2: section 5.1 with a prefix of so many bits as the mask has. */
  #integer(mask: number): number {
    let value = this.#next() & mask;
    if (value < mask) return value;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#next();
      value += (byte & 0x7f) * scale;
      if (value > maxInteger || scale > maxInteger) throw new BrokenBlock('an integer is too large');
      if (byte < 0x80) return value;
    }
  }

  #next(): number {
    const byte = this.#block[this.#at];
    if (byte === undefined) throw new BrokenBlock('a field goes on after the end of its block');
    this.#at += 1;
    return byte;
  }
}
