/**
 * The header tables of HPACK (RFC 7541 section 2.3 and appendix A).
 *
 * T1  One address space: the static table from 1 to 61, then the dynamic one, newest first (section 2.3.3).
 * T2  An entry counts 32 bytes more than its name and value; entries leave oldest first until a new one fits, and one that
 *     is larger than the whole table empties it (sections 4.1 and 4.4).
 */

export type Field = { readonly name: string; readonly value: string };

const entryOverhead = 32;

const staticFields: readonly Field[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  ...['200', '204', '206', '304', '400', '404', '500'].map((status) => [':status', status] as const),
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ...['accept-language', 'accept-ranges', 'accept', 'access-control-allow-origin', 'age', 'allow', 'authorization'].map(bare),
  ...['cache-control', 'content-disposition', 'content-encoding', 'content-language', 'content-length'].map(bare),
  ...['content-location', 'content-range', 'content-type', 'cookie', 'date', 'etag', 'expect', 'expires', 'from'].map(bare),
  ...['host', 'if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since'].map(bare),
  ...['last-modified', 'link', 'location', 'max-forwards', 'proxy-authenticate', 'proxy-authorization', 'range'].map(bare),
  ...['referer', 'refresh', 'retry-after', 'server', 'set-cookie', 'strict-transport-security'].map(bare),
  ...['transfer-encoding', 'user-agent', 'vary', 'via', 'www-authenticate'].map(bare),
].map(([name = '', value = '']) => ({ name, value }));

function bare(name: string): readonly [string, string] {
  return [name, ''];
}

/** 61. */
export const staticCount: number = staticFields.length;

type StaticName = { readonly first: number; readonly pairs: ReadonlyMap<string, number> };

const staticNames: ReadonlyMap<string, StaticName> = new Map(
  Map.groupBy(
    staticFields.map((field, i) => ({ ...field, index: i + 1 })),
    ({ name }) => name,
  )
    .entries()
    .map(([name, fields]) => [
      name,
      { first: fields[0]?.index ?? 0, pairs: new Map(fields.map(({ value, index }) => [value, index])) },
    ]),
);

/** The index of an equal static field, or of one of that name, or zero. */
export function staticIndex(name: string, value: string): { readonly pair: number; readonly name: number } {
  const known = staticNames.get(name);
  return known === undefined ? unknown : { pair: known.pairs.get(value) ?? 0, name: known.first };
}

const unknown = { pair: 0, name: 0 };

export function sizeOf(name: string, value: string): number {
  return name.length + value.length + entryOverhead;
}

/** The dynamic table; oldest first inside, so that an entry's place is the count of those that came before it. */
export class DynamicTable {
  readonly #onEvict: ((field: Field, place: number) => void) | undefined;
  #entries: Field[] = [];
  /** Entries that left. */
  #evicted = 0;
  #size = 0;
  #maxSize: number;

  constructor(maxSize: number, onEvict?: (field: Field, place: number) => void) {
    this.#maxSize = maxSize;
    this.#onEvict = onEvict;
  }

  get maxSize(): number {
    return this.#maxSize;
  }

  get size(): number {
    return this.#size;
  }

  /** T1. */
  at(index: number): Field | undefined {
    return index <= staticCount ? staticFields[index - 1] : this.#entries[this.#entries.length - (index - staticCount)];
  }

  /** The index of the entry in a place that `add` gave. */
  indexOf(place: number): number {
    return staticCount + this.#evicted + this.#entries.length - place;
  }

  /** T2. Gives the entry's place, or -1 when it is larger than the table. */
  add(field: Field): number {
    const size = sizeOf(field.name, field.value);
    this.#evict(this.#maxSize - size);
    if (size > this.#maxSize) return -1;
    this.#size += size;
    return this.#evicted + this.#entries.push(field) - 1;
  }

  resize(maxSize: number): void {
    this.#maxSize = maxSize;
    this.#evict(maxSize);
  }

  #evict(limit: number): void {
    let count = 0;
    while (this.#size > limit) {
      const field = this.#entries[count];
      if (field === undefined) break;
      this.#size -= sizeOf(field.name, field.value);
      this.#onEvict?.(field, this.#evicted + count);
      count += 1;
    }
    if (count === 0) return;
    this.#evicted += count;
    this.#entries = this.#entries.slice(count);
  }
}
