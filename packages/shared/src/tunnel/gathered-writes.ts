/**
 * Bytes on their way from tunnels to sockets. OpenSSL hands out one record at a time, so 64 KiB of bulk come in four pieces,
 * and a write for each is what costs most there: packets to make, to route and to take in (`npm run bench -- tunnel`).
 *
 * G1  A piece as large as a record has more behind it: it is kept until the turn of the loop ends, or until a slab is full.
 * G2  A smaller one ends a burst: it goes at once, after what was kept. A lone answer never waits.
 * G3  One socket's bytes are kept at a time, at most a slab.
 * G4  Bytes of a socket keep their order, since all go through here; who is about to tell it of an end calls `flush` first.
 */
import type { Writable } from 'node:stream';
import { slabBytes } from '../http2/outbox.ts';
import type { Slabs } from '../http2/outbox.ts';

/** G1. The payload of a record (RFC 8446 section 5.1), less what headers of frames take of it. */
const recordBytes = 16 * 1024 - 64;

type Kept = { readonly to: Writable; readonly slab: Buffer; length: number; readonly flushing: NodeJS.Immediate };

export class GatheredWrites {
  readonly #slabs: Slabs;
  #kept: Kept | undefined;

  constructor(slabs: Slabs) {
    this.#slabs = slabs;
  }

  /** Takes bytes that are good until it returns. False: let `drain` of the socket come first. */
  write(to: Writable, bytes: Buffer): boolean {
    if (this.#kept?.to !== to || this.#kept.length + bytes.length > slabBytes) this.flush();
    const isLast = bytes.length < recordBytes;
    // Small ones are cut from a pool by Node.
    if (isLast && this.#kept === undefined) return to.write(Buffer.from(bytes));
    this.#kept ??= { to, slab: this.#slabs.take(), length: 0, flushing: setImmediate(this.flush) };
    this.#kept.length += bytes.copy(this.#kept.slab, this.#kept.length);
    if (isLast || this.#kept.length + recordBytes > slabBytes) this.flush();
    return !to.writableNeedDrain;
  }

  /** Writes what is kept. */
  readonly flush = (): void => {
    const kept = this.#kept;
    if (kept === undefined) return;
    this.#kept = undefined;
    clearImmediate(kept.flushing);
    const { to, slab, length } = kept;
    if (to.writable) to.write(slab.subarray(0, length), () => this.#slabs.give(slab));
    else this.#slabs.give(slab);
  };
}
