/**
 * What of another resolver's answers may be kept, under which name, and for how long. Pure.
 *
 * K1  Kept under everything that a server may answer differently to: the servers asked, the flags, name, type and class, and the
 *     flags of EDNS; not the number, the case of letters, and the size of datagrams.
 * K2  As long as the shortest lives of its records (RFC 2181 section 5.2); that something is not there, as long as its zone says
 *     (RFC 2308 section 5), and not at all where it does not say.
 * K3  Only what is whole, and a final word: no failure, nothing that was cut.
 */
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { emptyOptBytes, optType } from './edns.ts';
import { codeOf, headerBytes, isTruncated, rcode } from './message.ts';
import type { Query } from './message.ts';
import { readQuestion, skipRecord } from './message-parts.ts';
import type { RecordFrame } from './message-parts.ts';

export type Lifetime = {
  /** How long it may be told, seconds; at least 1. */
  readonly seconds: number;
  /** Offsets of what each record says about its own. */
  readonly ttlOffsets: readonly number[];
};

const soaType = 6;
/** RFC 1035 section 3.3.13: two names, the root's at least, and five numbers, of which MINIMUM is the last. */
const leastSoaBytes = 22;
/** RFC 6895 section 3.1: from here to 255 are types of questions, not of records; a zone transfer is among them. */
const firstQuestionType = 128;
const lastQuestionType = 255;
/** RFC 2181 section 8: what is above has no lifetime at all. */
const mostTtl = 0x7fff_ffff;
/** Seconds: however long a server says, who corrects a mistake in it does not wait for more than this. */
const mostSeconds = 3_600;
/** That a name is not there, which is often so just before it is. */
const mostNegativeSeconds = 300;

/** K1; `undefined` for a query of which more than that could matter: options of EDNS, a signature, a type that is none. */
export function keyOf({ question, edns, bytes }: Query, nameservers: readonly SocketAddress[]): string | undefined {
  if (question.type >= firstQuestionType && question.type <= lastQuestionType) return undefined;
  const opt = Buffer.from(bytes.subarray(question.end));
  if (opt.length !== (edns === undefined ? 0 : emptyOptBytes)) return undefined;
  // Its size, behind the root and the type.
  if (edns !== undefined) opt.writeUInt16BE(0, 3);
  const asked = Buffer.concat([bytes.subarray(2, 4), bytes.subarray(question.end - 4, question.end), opt]);
  return `${nameservers.map(formatSocketAddress).join(' ')} ${asked.toString('latin1')} ${question.key}`;
}

/** K2, K3; `undefined` for what is not to be kept. @param message an answer to this query */
export function lifetimeOf(message: Uint8Array, { question: { type } }: Query): Lifetime | undefined {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  if (bytes.length < headerBytes) return undefined;
  const code = codeOf(bytes);
  if (isTruncated(bytes) || (code !== rcode.noError && code !== rcode.nameError)) return undefined;
  const records = recordsOf(bytes);
  if (records === undefined) return undefined;
  const { answers, authority, all } = records;
  // RFC 6891 section 6.1.3: the upper bits of the code.
  if (all.some((record) => record.type === optType && bytes.readUInt8(record.ttlAt) !== 0)) return undefined;
  const ttlOffsets = all.filter((record) => record.type !== optType).map(({ ttlAt }) => ttlAt);
  const isPositive = code === rcode.noError && answers.some((record) => record.type === type);
  const limit = isPositive ? mostSeconds : negativeLimit(bytes, authority);
  const seconds = Math.min(limit, ...ttlOffsets.map((at) => ttlAt(bytes, at)));
  return seconds < 1 ? undefined : { seconds, ttlOffsets };
}

/** An answer as it is after some time, less than its lifetime: each record with what is left of it. */
export function aged(message: Uint8Array, { seconds, ttlOffsets }: Lifetime, ageSeconds: number): Buffer {
  const bytes = Buffer.from(message);
  for (const at of ttlOffsets) bytes.writeUInt32BE(Math.min(ttlAt(bytes, at), seconds) - ageSeconds, at);
  return bytes;
}

/** RFC 2308 section 5: the lesser of what SOA says for such answers and of how long it lives itself (that is among all records). */
function negativeLimit(bytes: Buffer, authority: readonly RecordFrame[]): number {
  const soa = authority.find(({ type, dataAt, end }) => type === soaType && end - dataAt >= leastSoaBytes);
  return soa === undefined ? 0 : Math.min(bytes.readUInt32BE(soa.end - 4), mostNegativeSeconds);
}

function ttlAt(bytes: Buffer, at: number): number {
  const ttl = bytes.readUInt32BE(at);
  return ttl > mostTtl ? 0 : ttl;
}

type Records = {
  readonly answers: readonly RecordFrame[];
  readonly authority: readonly RecordFrame[];
  readonly all: readonly RecordFrame[];
};

/** `undefined` for a message that is malformed, or without its question. */
function recordsOf(bytes: Buffer): Records | undefined {
  const question = bytes.readUInt16BE(4) === 1 ? readQuestion(bytes, headerBytes) : undefined;
  if (question === undefined) return undefined;
  const [answers, authority, additional] = [bytes.readUInt16BE(6), bytes.readUInt16BE(8), bytes.readUInt16BE(10)];
  const all: RecordFrame[] = [];
  for (let at = question.end; all.length < answers + authority + additional;) {
    const record = skipRecord(bytes, at);
    if (record === undefined) return undefined;
    all.push(record);
    at = record.end;
  }
  return { answers: all.slice(0, answers), authority: all.slice(answers, answers + authority), all };
}
