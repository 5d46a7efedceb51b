/** Big-endian fields from untrusted bytes. Reading past the end gives zeros and marks the reader as failed; nothing throws. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** True once a read went past the end: what was read since is not to be believed. */
  get failed(): boolean {
    return this.#failed;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  uint8(): number {
    return this.bytes(1)[0] ?? 0;
  }

  uint16(): number {
    return (this.uint8() << 8) | this.uint8();
  }

  uint24(): number {
    return (this.uint16() << 8) | this.uint8();
  }

  uint32(): number {
    return this.uint16() * 0x10000 + this.uint16();
  }

  /** A view of the next `count` bytes; empty when there are fewer. */
  bytes(count: number): Uint8Array {
    if (count > this.remaining) {
      this.#failed = true;
      this.#at = this.#bytes.length;
      return new Uint8Array(0);
    }
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  /** A TLS vector: its length in `width` bytes, then that many (RFC 8446 section 3.4). */
  vector(width: 1 | 2): Uint8Array {
    return this.bytes(width === 1 ? this.uint8() : this.uint16());
  }
}
