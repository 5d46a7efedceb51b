/**
 * Header blocks, one after the other on one decoder: each is two bytes of length and so many bytes.
 * Fields stay within the limits; what was decoded and is encoded again decodes to the same.
 */
import { isDeepStrictEqual } from 'node:util';
import { HpackDecoder } from '@clearmesh/shared/http2/hpack-decoder';
import { HpackEncoder } from '@clearmesh/shared/http2/hpack-encoder';
import type { Draw } from '@clearmesh/shared/testing/draw';
import { must } from '../target.ts';
import type { FuzzTarget } from '../target.ts';

const limits = { maxListBytes: 2048, maxFields: 64 };

function run(input: Uint8Array): string {
  const bytes = Buffer.from(input);
  const decoder = new HpackDecoder(limits);
  const encoder = new HpackEncoder({ unique: new Set(['traceparent']) });
  const second = new HpackDecoder(limits);
  const kinds = new Set<string>();
  for (let at = 0; at + 2 <= bytes.length;) {
    const end = at + 2 + bytes.readUInt16BE(at);
    const block = decoder.decode(bytes.subarray(at + 2, end));
    kinds.add(block.kind === 'broken' ? `broken: ${block.detail}` : block.kind);
    // COMPRESSION_ERROR ends the connection.
    if (block.kind === 'broken') break;
    if (block.kind === 'fields') {
      checkLimits(block.fields);
      const again = second.decode(encoder.encode(block.fields));
      must(isDeepStrictEqual(again, block), () => `${JSON.stringify(block)} came back as ${JSON.stringify(again)}`);
    }
    if (at % 3 === 0) encoder.recvTableSize((at * 37) % 4097);
    at = end;
  }
  return [...kinds].sort().join(' ');
}

function checkLimits(fields: readonly string[]): void {
  let listBytes = 0;
  for (const text of fields) listBytes += text.length + 16;
  must(listBytes <= limits.maxListBytes, () => `a list of ${listBytes} bytes, of ${limits.maxListBytes} allowed`);
  must(fields.length <= 2 * limits.maxFields, () => `${fields.length / 2} fields, of ${limits.maxFields} allowed`);
}

/** RFC 7541 appendix C.4 and C.6, whose strings are Huffman codes: our own encoder makes none. */
const examples = [
  '828684418cf1e3c2e5f23a6ba0ab90f4ff',
  '828684be5886a8eb10649cbf',
  '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
  '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
];

function blocks(draw: Draw): Uint8Array {
  const encoder = new HpackEncoder();
  const names = [':authority', 'baggage', 'forwarded', 'traceparent', 'x-a', 'content-type'] as const;
  const parts: Uint8Array[] = [];
  for (let left = draw.int(1, 5); left > 0; left -= 1) {
    const fields = [':method', 'CONNECT'];
    for (let count = draw.int(0, 8); count > 0; count -= 1)
      fields.push(draw.pick(names), 'v'.repeat(draw.pick([0, 1, 5, 126, 127, 400])));
    if (draw.chance(0.3)) encoder.recvTableSize(draw.pick([0, 64, 200, 4096]));
    parts.push(withLength(Buffer.from(encoder.encode(fields))));
  }
  return Buffer.concat(parts);
}

function withLength(block: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(block.length);
  return Buffer.concat([length, block]);
}

export const hpack: FuzzTarget = {
  name: 'hpack',
  corpus: (draw) => [
    Buffer.concat(examples.map((hex) => withLength(Buffer.from(hex, 'hex')))),
    ...examples.map((hex) => withLength(Buffer.from(hex, 'hex'))),
    ...Array.from({ length: 24 }, () => blocks(draw)),
  ],
  run,
};
