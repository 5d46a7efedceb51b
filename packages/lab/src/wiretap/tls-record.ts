/** The TLS record layer (RFC 8446 section 5.1), as an eavesdropper sees it: headers in clear, most bodies sealed. */

export type TlsRecordType = 'change-cipher-spec' | 'alert' | 'handshake' | 'application-data' | 'heartbeat';

export type TlsRecord = {
  readonly type: TlsRecordType;
  /** Shorter than the header says only in the last record of a stream that was cut. */
  readonly body: Uint8Array;
};

const types: Readonly<Record<number, TlsRecordType>> = {
  20: 'change-cipher-spec',
  21: 'alert',
  22: 'handshake',
  23: 'application-data',
  24: 'heartbeat',
};

const HEADER_BYTES = 5;
/** 2^14 and the room TLS 1.2 gives to ciphers (RFC 5246 section 6.2.3); TLS 1.3 has less. */
const maxBodyBytes = 16384 + 2048;

/** The records of a stream from its beginning; `undefined` as soon as any byte cannot be part of one. Never throws. */
export function parseTlsRecords(stream: Uint8Array): readonly TlsRecord[] | undefined {
  const records: TlsRecord[] = [];
  for (let at = 0; at < stream.length;) {
    const record = parseRecord(stream.subarray(at, at + HEADER_BYTES + maxBodyBytes));
    if (record === undefined) return undefined;
    records.push(record);
    at += HEADER_BYTES + record.body.length;
  }
  return records;
}

function parseRecord(bytes: Uint8Array): TlsRecord | undefined {
  // Bytes that the capture lacks are taken for right ones; those that are there must fit.
  const [code = 0, major = 3, minor = 3, high = 0, low = 1] = bytes;
  const type = types[code];
  const length = (high << 8) | low;
  if (type === undefined || major !== 3 || minor > 4 || length > maxBodyBytes) return undefined;
  // Only application data may be empty (RFC 8446 section 5.1).
  if (length === 0 && type !== 'application-data') return undefined;
  return { type, body: bytes.subarray(HEADER_BYTES, HEADER_BYTES + length) };
}
