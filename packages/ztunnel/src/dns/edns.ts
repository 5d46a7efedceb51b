/** The OPT record of a message, in which both sides say what they speak beyond RFC 1035 (RFC 6891 section 6). Pure. */
import { skipRecord } from './message-parts.ts';

export type Edns = {
  /** The most bytes the asker takes in one datagram (section 6.2.3). */
  readonly payload: number;
  /** 0 is the only one there is. */
  readonly version: number;
  /** Whether it wants signatures (RFC 3225). */
  readonly dnssecOk: boolean;
};

/** Of the sections behind the question. */
export type SectionCounts = { readonly answers: number; readonly authority: number; readonly additional: number };

/** RFC 6891 section 6.2.5: a smaller size is taken for this one. */
const leastPayload = 512;
export const optType = 41;
const dnssecOkFlag = 0x8000;
/** The root, type, size, and the four bytes where other records have their lifetime, length. */
export const emptyOptBytes = 11;

/** What the OPT record behind a question says; `undefined` when there is none. */
export function readEdns(bytes: Buffer, start: number, counts: SectionCounts): Edns | undefined | 'malformed' {
  const before = counts.answers + counts.authority;
  let found: Edns | undefined;
  for (let at = start, index = 0; index < before + counts.additional; index++) {
    const record = skipRecord(bytes, at);
    if (record === undefined) return 'malformed';
    if (record.type === optType) {
      // Section 6.1.1: at most one, of the root, among the additional records.
      if (found !== undefined || bytes[at] !== 0 || index < before) return 'malformed';
      found = {
        payload: Math.max(leastPayload, record.class),
        version: bytes.readUInt8(record.ttlAt + 1),
        dnssecOk: (bytes.readUInt16BE(record.ttlAt + 2) & dnssecOkFlag) !== 0,
      };
    }
    at = record.end;
  }
  return found;
}

/**
 * The OPT record of an answer: of version 0 (section 6.1.3), with the asker's size, and its DO bit (RFC 3225 section 3).
 * @param code whose upper eight bits go here, as the header has room for four
 */
export function writeEdns({ payload, dnssecOk }: Edns, code: number): Buffer {
  const bytes = Buffer.alloc(emptyOptBytes);
  bytes.writeUInt16BE(optType, 1);
  bytes.writeUInt16BE(payload, 3);
  bytes.writeUInt8(code >> 4, 5);
  bytes.writeUInt16BE(dnssecOk ? dnssecOkFlag : 0, 7);
  return bytes;
}
