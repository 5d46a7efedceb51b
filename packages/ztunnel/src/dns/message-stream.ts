/** DNS messages in a TCP connection, each behind its length (RFC 1035 section 4.2.2). */

/** A message with its length. */
export function framed(message: Uint8Array): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** The messages of a stream, one at a time; what comes after is not read before it is asked for. Bounded by the length's 16 bits. */
export class MessageStream implements AsyncIterable<Buffer> {
  readonly #chunks: AsyncIterable<Buffer>;

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    let held: Buffer = Buffer.alloc(0);
    for await (const chunk of this.#chunks) {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const end = 2 + held.readUInt16BE(0);
        yield held.subarray(2, end);
        held = held.subarray(end);
      }
    }
  }
}
