/** DNS messages made by hand, and read without the code under test. */
import { readQuery } from '../../src/dns/message.ts';
import type { Query } from '../../src/dns/message.ts';

export type AskedMessage = {
  readonly id?: number;
  readonly name: string;
  readonly type?: number;
  readonly flags?: number;
  readonly class?: number;
  /** Size told in an OPT record. */
  readonly edns?: number;
  readonly ednsVersion?: number;
  readonly dnssecOk?: boolean;
  /** What the OPT record holds. */
  readonly ednsOptions?: Buffer;
};

export function wireName(name: string): Buffer {
  const labels = name === '' ? [] : name.split('.');
  return Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), Buffer.from(label, 'latin1')]), Buffer.of(0)]);
}

/** A query with recursion desired, of type A unless told otherwise. */
export function question({ id = 7, name, type = 1, flags = 0x0100, class: asked = 1, ...opted }: AskedMessage): Buffer {
  const end = Buffer.alloc(4);
  end.writeUInt16BE(type);
  end.writeUInt16BE(asked, 2);
  return Buffer.concat([header(id, flags, [1, 0, 0, opted.edns === undefined ? 0 : 1]), wireName(name), end, opt(opted)]);
}

/** The answer of another resolver to a query without EDNS: one address, or none. */
export function upstreamAnswer(
  query: Buffer,
  { code = 0, address }: { readonly code?: number; readonly address?: string },
): Buffer {
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 77, 0, 4, ...(address ?? '0.0.0.0').split('.').map(Number)]);
  const answered = address === undefined ? [] : [record];
  const head = header(query.readUInt16BE(0), 0x8400 | code, [1, answered.length, 0, 0]);
  return Buffer.concat([head, query.subarray(12), ...answered]);
}

export type AnswerRecord = {
  readonly type: number;
  readonly ttl: number;
  readonly data: Buffer;
  /** @default answer */
  readonly section?: 'authority' | 'additional';
};

/** An answer of other records, all of the name that was asked (but OPT, which is the root's), to a query without EDNS. */
export function recordsAnswer(query: Buffer, flags: number, records: readonly AnswerRecord[]): Buffer {
  const count = (section: AnswerRecord['section']): number => records.filter((record) => record.section === section).length;
  const head = header(query.readUInt16BE(0), flags, [1, count(undefined), count('authority'), count('additional')]);
  return Buffer.concat([head, query.subarray(12), ...records.map(wireRecord)]);
}

/** Of a zone whose names are the root. */
export function soaData(minimum: number): Buffer {
  const data = Buffer.alloc(22);
  data.writeUInt32BE(minimum, 18);
  return data;
}

function wireRecord({ type, ttl, data }: AnswerRecord): Buffer {
  const frame = Buffer.alloc(10);
  frame.writeUInt16BE(type);
  frame.writeUInt16BE(1, 2);
  frame.writeUInt32BE(ttl, 4);
  frame.writeUInt16BE(data.length, 8);
  return Buffer.concat([type === 41 ? Buffer.of(0) : Buffer.of(0xc0, 12), frame, data]);
}

/** As the code under test reads it. */
export function asQuery(message: Uint8Array): Query {
  const read = readQuery(message);
  if (read.kind !== 'query') throw new Error(`read as ${read.kind}`);
  return read.query;
}

export type SeenAnswer = {
  readonly id: number;
  readonly flags: string;
  readonly code: number;
  /** `owner type data ttl`. */
  readonly answers: readonly string[];
  readonly edns?: number;
  /** Only when it is not 0. */
  readonly ednsVersion?: number;
  /** Only when it is set. */
  readonly dnssecOk?: true;
};

export function readAnswer(message: Uint8Array): SeenAnswer {
  const bytes = Buffer.from(message);
  const flags = bytes.readUInt16BE(2);
  let at = 12;
  for (let index = 0; index < bytes.readUInt16BE(4); index++) at = readName(bytes, at).end + 4;
  const answers: string[] = [];
  let edns: Pick<SeenAnswer, 'edns' | 'ednsVersion' | 'dnssecOk'> = {};
  let extended = 0;
  for (let index = 0; index < bytes.readUInt16BE(6) + bytes.readUInt16BE(10); index++) {
    const owner = readName(bytes, at);
    const [type, length] = [bytes.readUInt16BE(owner.end), bytes.readUInt16BE(owner.end + 8)];
    const data = bytes.subarray(owner.end + 10, owner.end + 10 + length);
    at = owner.end + 10 + length;
    if (type === 41) {
      const [version, bits] = [bytes.readUInt8(owner.end + 5), bytes.readUInt16BE(owner.end + 6)];
      extended = bytes.readUInt8(owner.end + 4);
      edns = {
        edns: bytes.readUInt16BE(owner.end + 2),
        ...(version === 0 ? {} : { ednsVersion: version }),
        ...((bits & 0x8000) === 0 ? {} : { dnssecOk: true }),
      };
    } else answers.push(`${owner.name} ${shown(type, data, bytes, owner.end + 10)} ${bytes.readUInt32BE(owner.end + 4)}`);
  }
  const names: readonly [number, string][] = [
    [0x8000, 'qr'],
    [0x0400, 'aa'],
    [0x0200, 'tc'],
    [0x0100, 'rd'],
    [0x0080, 'ra'],
  ];
  const set = names.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
  return { id: bytes.readUInt16BE(0), flags: set.join(' '), code: (extended << 4) | (flags & 0xf), answers, ...edns };
}

function shown(type: number, data: Buffer, bytes: Buffer, at: number): string {
  if (type === 1) return `A ${data.join('.')}`;
  if (type === 28) return `AAAA ${data.toString('hex')}`;
  return type === 5 ? `CNAME ${readName(bytes, at).name}` : `TYPE${type}`;
}

function readName(bytes: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = start;
  let end: number | undefined;
  for (;;) {
    const length = bytes[at] ?? 0;
    if (length >= 0xc0) {
      end ??= at + 2;
      at = bytes.readUInt16BE(at) & 0x3fff;
      continue;
    }
    at += 1 + length;
    if (length === 0) return { name: labels.join('.'), end: end ?? at };
    labels.push(bytes.toString('latin1', at - length, at));
  }
}

function header(id: number, flags: number, counts: readonly number[]): Buffer {
  const bytes = Buffer.alloc(12);
  [id, flags, ...counts].forEach((value, index) => bytes.writeUInt16BE(value, index * 2));
  return bytes;
}

function opt({ edns: size, ednsVersion = 0, dnssecOk = false, ednsOptions = Buffer.alloc(0) }: Partial<AskedMessage>): Buffer {
  if (size === undefined) return Buffer.alloc(0);
  const fixed = [0, 0, 41, size >> 8, size & 0xff, 0, ednsVersion, dnssecOk ? 0x80 : 0, 0, 0, ednsOptions.length];
  return Buffer.concat([Buffer.from(fixed), ednsOptions]);
}
