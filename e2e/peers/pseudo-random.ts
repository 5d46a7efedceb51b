/** Bytes that compress badly and that openssl can make as well: AES-256-CTR over zeros, with a fixed key. */
import { createCipheriv } from 'node:crypto';
import { Readable } from 'node:stream';

/** What `openssl enc -aes-256-ctr -K … -iv …` takes. */
export const streamKey: { readonly key: string; readonly iv: string } = { key: '11'.repeat(32), iv: '00'.repeat(16) };

const zeros = Buffer.alloc(65_536);

export function pseudoRandom(bytes: number): Readable {
  return Readable.from(chunks(bytes), { objectMode: false });
}

function* chunks(bytes: number): Generator<Buffer> {
  const cipher = createCipheriv('aes-256-ctr', Buffer.from(streamKey.key, 'hex'), Buffer.from(streamKey.iv, 'hex'));
  for (let left = bytes; left > 0; left -= zeros.length) yield cipher.update(zeros.subarray(0, Math.min(left, zeros.length)));
}
