/**
 * Frames that wait to be written, as bytes in one piece: frames of one turn of the loop go out in one write, and so in as few
 * TLS records and packets as there can be.
 *
 * O1  Data finds room for at most a slab; whoever has more waits for the next. Frames of control always find room, and
 *     `length` tells when a peer makes us owe it too many.
 * O2  A slab that was taken is not touched until it is given back: a transport may still be reading from it.
 * O3  A connection without a word to say holds no slab.
 */
import { frameHeaderBytes } from './frame.ts';

/** One read of a socket with its frame header, and a few frames beside. */
export const slabBytes: number = 72 * 1024;

/** Slabs between two uses, of all connections together. */
export class Slabs {
  readonly #most: number;
  readonly #free: Buffer[] = [];

  /** @param most that are kept, by default 32 (2.3 MiB) */
  constructor(most = 32) {
    this.#most = most;
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(slabBytes);
  }

  /** Larger ones are not kept. */
  give(slab: Buffer): void {
    if (slab.length === slabBytes && this.#free.length < this.#most) this.#free.push(slab);
  }
}

const nothing: Buffer = Buffer.alloc(0);

export class Outbox {
  readonly #slabs: Slabs;
  #slab: Buffer = nothing;
  #length = 0;
  /** Whose frames were put last. */
  #stream = 0;
  #writesOfOne = 0;

  constructor(slabs: Slabs) {
    this.#slabs = slabs;
  }

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  /** O1. Bytes of payload for which one more DATA frame has room. */
  get room(): number {
    return Math.max(0, slabBytes - this.#length - frameHeaderBytes);
  }

  /** How many times in a row what was taken was of one and the same stream. */
  get writesOfOne(): number {
    return this.#writesOfOne;
  }

  /** What waits, now the taker's; give `slab` back when it is written. */
  take(): { readonly slab: Buffer; readonly bytes: Buffer } {
    const slab = this.#slab;
    const bytes = slab.subarray(0, this.#length);
    this.#slab = nothing;
    this.#length = 0;
    this.#writesOfOne += 1;
    return { slab, bytes };
  }

  /** O2. */
  giveBack(slab: Buffer): void {
    this.#slabs.give(slab);
  }

  /** Section 4.1. The payload of `length` bytes follows by the `put` methods. */
  putHeader(length: number, type: number, flags: number, stream: number): void {
    const slab = this.#reserve(frameHeaderBytes + length);
    const at = this.#length;
    slab[at] = length >>> 16;
    slab[at + 1] = length >>> 8;
    slab[at + 2] = length;
    slab[at + 3] = type;
    slab[at + 4] = flags;
    slab[at + 5] = stream >>> 24;
    slab[at + 6] = stream >>> 16;
    slab[at + 7] = stream >>> 8;
    slab[at + 8] = stream;
    this.#length = at + frameHeaderBytes;
    if (stream === this.#stream || stream === 0) return;
    this.#stream = stream;
    this.#writesOfOne = 0;
  }

  putU32(value: number): void {
    const at = this.#length;
    const slab = this.#slab;
    slab[at] = value >>> 24;
    slab[at + 1] = value >>> 16;
    slab[at + 2] = value >>> 8;
    slab[at + 3] = value;
    this.#length = at + 4;
  }

  putBytes(bytes: Uint8Array, from: number, to: number): void {
    this.#slab.set(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to), this.#length);
    this.#length += to - from;
  }

  /** Text whose length in bytes is known to be what the frame's header said. */
  putText(text: string, encoding: BufferEncoding): void {
    this.#length += this.#slab.write(text, this.#length, encoding);
  }

  putRaw(bytes: Buffer): void {
    this.#reserve(bytes.length);
    this.putBytes(bytes, 0, bytes.length);
  }

  #reserve(bytes: number): Buffer {
    if (this.#slab.length === 0) this.#slab = this.#slabs.take();
    if (this.#length + bytes <= this.#slab.length) return this.#slab;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#slab.length * 2, this.#length + bytes));
    this.#slab.copy(larger, 0, 0, this.#length);
    this.#slabs.give(this.#slab);
    this.#slab = larger;
    return larger;
  }
}
