/**
 * Flow control of one stream, or of the connection (RFC 9113 sections 5.2 and 6.9).
 *
 * W1  What is sent never exceeds what the peer allowed; an allowance above 2^31-1 is the peer's error (section 6.9.1).
 * W2  A changed INITIAL_WINDOW_SIZE moves the window of every stream by the difference, below zero too (section 6.9.2).
 * W3  A peer that sends more than it was allowed is in error (section 6.9.1).
 * W4  What was consumed is given back once it comes to half the window: a WINDOW_UPDATE for every megabyte or two rather than
 *     for every frame, and the peer always has at least half a window.
 */
import { max31Bits } from './frame.ts';

/** What may be sent. */
export class SendWindow {
  #left: number;

  constructor(size: number) {
    this.#left = size;
  }

  /** Zero or less: nothing. */
  get left(): number {
    return this.#left;
  }

  consume(bytes: number): void {
    this.#left -= bytes;
  }

  /** W1, W2. False when the window would be larger than any may be. */
  grow(bytes: number): boolean {
    this.#left += bytes;
    return this.#left <= max31Bits;
  }
}

/** What may be received. */
export class ReceiveWindow {
  readonly #giveBackAt: number;
  #left: number;
  #consumed = 0;

  constructor(size: number) {
    this.#left = size;
    this.#giveBackAt = Math.max(1, size >>> 1);
  }

  /** W3. False when the peer sent more than it may. */
  recv(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /** W4. What to give back to the peer now, or zero. */
  consume(bytes: number): number {
    this.#consumed += bytes;
    if (this.#consumed < this.#giveBackAt) return 0;
    const given = this.#consumed;
    this.#consumed = 0;
    this.#left += given;
    return given;
  }
}
