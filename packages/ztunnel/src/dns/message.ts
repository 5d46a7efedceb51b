/**
 * DNS messages as far as a proxy reads and writes them (RFC 1035 section 4, RFC 6891 section 6). Pure.
 *
 *   what a pod asks ──▶ readQuery ──▶ query | refusal | nothing      decision ──▶ writeAnswer ──▶ bytes
 *
 * M1  Of a message only what decides is read: header, question, OPT. What goes on to another server goes on as it came.
 * M2  Names are compared in lower case and shown as they were asked, byte by byte (RFC 1035 section 2.3.3, RFC 4343).
 */
import { ipToBytes } from '@clearmesh/shared/model/ip-address';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import { readEdns, writeEdns } from './edns.ts';
import type { Edns } from './edns.ts';
import { readQuestion } from './message-parts.ts';
import type { Question } from './message-parts.ts';

/** RFC 1035 section 4.1.1; RFC 6891 section 9. */
export const rcode = { noError: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4, badVersion: 16 } as const;

export const recordType = { a: 1, cname: 5, aaaa: 28 } as const;

export const internetClass = 1;

/** What of a header comes back in the answer. */
export type QueryHeader = {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  readonly checkingDisabled: boolean;
};

export type Query = {
  readonly header: QueryHeader;
  readonly question: Question;
  /** Absent: the asker does not speak EDNS. */
  readonly edns?: Edns;
  /** The whole message as it came. */
  readonly bytes: Uint8Array;
};

/** What came; `refused` with the code to answer, `nothing` for what is not even a header. */
export type Read =
  | { readonly kind: 'query'; readonly query: Query }
  | { readonly kind: 'refused'; readonly header: QueryHeader; readonly code: number }
  | { readonly kind: 'nothing' };

export type Answer = {
  /** One above 15 only to who speaks EDNS. */
  readonly code: number;
  /** The name that the question is another one for, in lower case. */
  readonly alias?: string;
  readonly addresses: readonly IpAddress[];
};

export const headerBytes = 12;

const flag = { response: 0x8000, authoritative: 0x0400, truncated: 0x0200, recursionDesired: 0x0100, available: 0x0080 } as const;
const checkingDisabledFlag = 0x0010;

/** Seconds for which a name may be remembered. */
const ttlSeconds = 30;

/** What a pod sent. */
export function readQuery(message: Uint8Array): Read {
  const bytes = asBuffer(message);
  if (bytes.length < headerBytes) return { kind: 'nothing' };
  const flags = bytes.readUInt16BE(2);
  const header: QueryHeader = {
    id: bytes.readUInt16BE(0),
    opcode: (flags >> 11) & 0xf,
    recursionDesired: (flags & flag.recursionDesired) !== 0,
    checkingDisabled: (flags & checkingDisabledFlag) !== 0,
  };
  const refused = (code: number): Read => ({ kind: 'refused', header, code });
  if ((flags & flag.response) !== 0) return refused(rcode.formatError);
  if (header.opcode !== 0) return refused(rcode.notImplemented);
  const question = bytes.readUInt16BE(4) === 1 ? readQuestion(bytes, headerBytes) : undefined;
  if (question === undefined) return refused(rcode.formatError);
  const [answers, authority, additional] = [bytes.readUInt16BE(6), bytes.readUInt16BE(8), bytes.readUInt16BE(10)];
  const edns = readEdns(bytes, question.end, { answers, authority, additional });
  if (edns === 'malformed') return refused(rcode.formatError);
  return { kind: 'query', query: { header, question, bytes, ...(edns === undefined ? {} : { edns }) } };
}

/** An answer without a question, to what could not be read. */
export function writeRefusal(header: QueryHeader, code: number): Uint8Array {
  const bytes = Buffer.alloc(headerBytes);
  writeHeader(bytes, header, flag.response | code);
  return bytes;
}

/** The answer to a query in at most `limit` bytes; what does not fit is left out, and the asker told so. */
export function writeAnswer(query: Query, answer: Answer, limit: number): Uint8Array {
  const { question } = query;
  const records = answerRecords(query, answer);
  const edns = query.edns === undefined ? [] : [writeEdns(query.edns, answer.code)];
  let room = limit - question.end - sizeOf(edns);
  const fitting = records.filter((record) => (room -= record.length) >= 0);
  const cut = fitting.length < records.length ? flag.truncated : 0;
  const own = answer.code === rcode.noError ? flag.authoritative : 0;
  const bytes = Buffer.alloc(headerBytes);
  writeHeader(bytes, query.header, flag.response | flag.available | own | cut | (answer.code & 0xf));
  bytes.writeUInt16BE(1, 4);
  bytes.writeUInt16BE(fitting.length, 6);
  bytes.writeUInt16BE(edns.length, 10);
  return Buffer.concat([bytes, query.bytes.subarray(headerBytes, question.end), ...fitting, ...edns]);
}

function answerRecords({ question }: Query, { alias, addresses }: Answer): readonly Buffer[] {
  if (alias === undefined) return addresses.map((ip) => addressRecord(headerBytes, ip));
  const target = writeName(alias);
  // Behind the question: owner, type, class, time, length, and then the name that the addresses are of.
  const cname = record(headerBytes, recordType.cname, target);
  return [cname, ...addresses.map((ip) => addressRecord(question.end + cname.length - target.length, ip))];
}

function addressRecord(owner: number, ip: IpAddress): Buffer {
  const data = Buffer.from(ipToBytes(ip));
  return record(owner, data.length === 4 ? recordType.a : recordType.aaaa, data);
}

/** @param owner where in the message its name stands (RFC 1035 section 4.1.4) */
function record(owner: number, type: number, data: Buffer): Buffer {
  const bytes = Buffer.alloc(12 + data.length);
  bytes.writeUInt16BE(0xc000 | owner, 0);
  bytes.writeUInt16BE(type, 2);
  bytes.writeUInt16BE(internetClass, 4);
  bytes.writeUInt32BE(ttlSeconds, 6);
  bytes.writeUInt16BE(data.length, 10);
  data.copy(bytes, 12);
  return bytes;
}

function writeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from(label, 'latin1'));
  return Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), label]), Buffer.of(0)]);
}

function writeHeader(bytes: Buffer, header: QueryHeader, flags: number): void {
  const asked = (header.recursionDesired ? flag.recursionDesired : 0) | (header.checkingDisabled ? checkingDisabledFlag : 0);
  bytes.writeUInt16BE(header.id, 0);
  bytes.writeUInt16BE((header.opcode << 11) | asked | flags, 2);
}

/** The query under another number, for another server. */
export function renumbered(message: Uint8Array, id: number): Buffer {
  const bytes = Buffer.from(message);
  bytes.writeUInt16BE(id, 0);
  return bytes;
}

/** Whether a message answers this query under this number: what comes from elsewhere does not know both (RFC 5452 section 9.1). */
export function answers(message: Uint8Array, query: Query, id: number): boolean {
  const bytes = asBuffer(message);
  if (bytes.length < headerBytes || bytes.readUInt16BE(0) !== id) return false;
  const flags = bytes.readUInt16BE(2);
  if ((flags & flag.response) === 0) return false;
  // Some servers leave the question out of a refusal.
  if (bytes.readUInt16BE(4) === 0) return (flags & 0xf) !== rcode.noError;
  const question = readQuestion(bytes, headerBytes);
  if (bytes.readUInt16BE(4) !== 1 || question === undefined) return false;
  const { key, type, class: asked } = query.question;
  return question.key === key && question.type === type && question.class === asked;
}

/** Another server's answer as ours: under the asker's number, with its spelling of the name (M2), not authoritative. */
export function relayed(message: Uint8Array, { header, question, bytes: asked }: Query): Buffer {
  const bytes = renumbered(message, header.id);
  // It may answer somebody else's question, which is equal to this one, so of one length.
  if (bytes.readUInt16BE(4) === 1) bytes.set(asked.subarray(headerBytes, question.end), headerBytes);
  bytes.writeUInt16BE((bytes.readUInt16BE(2) & ~flag.authoritative) | flag.available, 2);
  return bytes;
}

/** Whether a part of it was left out. */
export function isTruncated(message: Uint8Array): boolean {
  return (asBuffer(message).readUInt16BE(2) & flag.truncated) !== 0;
}

/** The code in an answer's header. */
export function codeOf(message: Uint8Array): number {
  return asBuffer(message).readUInt16BE(2) & 0xf;
}

function sizeOf(records: readonly Buffer[]): number {
  return records.reduce((sum, { length }) => sum + length, 0);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
