/** Names, questions and records within a DNS message (RFC 1035 sections 4.1.2 to 4.1.4). Pure; never reads beyond the message. */

export type Question = {
  /** Lower case, without the final dot; `undefined` for a name that no host has: the root, or with other than visible ASCII. */
  readonly name: string | undefined;
  /** The name's bytes in lower case, as text: equal for equal names, whatever they hold. */
  readonly key: string;
  readonly type: number;
  readonly class: number;
  /** Offset of what follows. */
  readonly end: number;
};

/** RFC 1035 section 2.3.4, with all length bytes. */
const maxNameBytes = 255;

/** The question at an offset, or `undefined` for a malformed one. The first name of a message has nothing to point to. */
export function readQuestion(bytes: Buffer, start: number): Question | undefined {
  const labels: string[] = [];
  let at = start;
  for (;;) {
    const length = bytes[at];
    if (length === undefined || length > 63 || at + length - start >= maxNameBytes) return undefined;
    at += 1 + length;
    if (at > bytes.length) return undefined;
    if (length === 0) break;
    labels.push(lowerCase(bytes.toString('latin1', at - length, at)));
  }
  if (at + 4 > bytes.length) return undefined;
  return {
    name: hostname(labels),
    key: labels.map((label) => `${label.length} ${label}`).join(''),
    type: bytes.readUInt16BE(at),
    class: bytes.readUInt16BE(at + 2),
    end: at + 4,
  };
}

/** What is before a record's data, and where that is. */
export type RecordFrame = {
  readonly type: number;
  readonly class: number;
  /** Offset of its lifetime, and of its data behind the length. */
  readonly ttlAt: number;
  readonly dataAt: number;
  readonly end: number;
};

/** The record at an offset; `undefined` for a malformed one. */
export function skipRecord(bytes: Buffer, start: number): RecordFrame | undefined {
  const at = skipName(bytes, start);
  if (at === undefined || at + 10 > bytes.length) return undefined;
  const end = at + 10 + bytes.readUInt16BE(at + 8);
  if (end > bytes.length) return undefined;
  return { type: bytes.readUInt16BE(at), class: bytes.readUInt16BE(at + 2), ttlAt: at + 4, dataAt: at + 10, end };
}

function skipName(bytes: Buffer, start: number): number | undefined {
  let at = start;
  for (;;) {
    const length = bytes[at];
    if (length === undefined) return undefined;
    // A pointer ends a name.
    if (length >= 0xc0) return at + 2;
    if (length > 63) return undefined;
    at += 1 + length;
    if (length === 0) return at;
  }
}

function hostname(labels: readonly string[]): string | undefined {
  const isPlain = labels.length > 0 && labels.every((label) => /^[!-~]+$/.test(label) && !label.includes('.'));
  return isPlain ? labels.join('.') : undefined;
}

/** ASCII only: the other letters of Latin-1 are different bytes (RFC 4343 section 3). */
function lowerCase(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
