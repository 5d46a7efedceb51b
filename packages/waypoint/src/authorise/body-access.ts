/** A request's body, looked into before anybody has decided whether it goes on. */
import type { Readable } from 'node:stream';

export type PeekedBody =
  /** The beginning, and whether there is more. */
  | { readonly kind: 'peeked'; readonly bytes: Buffer; readonly truncated: boolean }
  /** The caller left. */
  | { readonly kind: 'gone' };

/** All that authorisation may do with a body. */
export interface BodyAccess {
  /** At most `maxBytes` from the beginning; the same beginning however often it is asked. Rejects with the signal's reason only. */
  peek(maxBytes: number, signal: AbortSignal): Promise<PeekedBody>;
}

/** Reads ahead, and gives everything back. One reader at a time. */
export class PeekableBody implements BodyAccess {
  readonly #source: Readable;
  #read: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(source: Readable) {
    this.#source = source;
  }

  async peek(maxBytes: number, signal: AbortSignal): Promise<PeekedBody> {
    // One byte beyond the bound tells a body that just fits from one that was cut.
    while (!this.#ended && this.#read.length <= maxBytes) {
      const chunk = await nextChunk(this.#source, signal);
      if (chunk === 'gone') return { kind: 'gone' };
      if (chunk === 'end') this.#ended = true;
      else this.#read = this.#read.length === 0 ? chunk : Buffer.concat([this.#read, chunk]);
    }
    return { kind: 'peeked', bytes: this.#read.subarray(0, maxBytes), truncated: this.#read.length > maxBytes };
  }

  /** The whole body: as bytes once it has ended, else the stream with what was read put back in front. */
  take(): Readable | Buffer {
    const read = this.#read;
    this.#read = Buffer.alloc(0);
    if (this.#ended) return read;
    if (read.length > 0) this.#source.unshift(read);
    return this.#source;
  }
}

function nextChunk(source: Readable, signal: AbortSignal): Promise<Buffer | 'end' | 'gone'> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const finish = (outcome: Buffer | 'end' | 'gone' | undefined): void => {
      source.off('readable', recvReadable).off('end', recvEnd).off('error', recvGone).off('close', recvGone);
      signal.removeEventListener('abort', recvAbort);
      if (outcome === undefined) reject(signal.reason);
      else resolve(outcome);
    };
    const recvReadable = (): void => {
      const chunk = source.read() as Buffer | null;
      if (chunk !== null) finish(chunk);
    };
    const recvEnd = (): void => finish('end');
    const recvGone = (): void => finish(source.readableEnded ? 'end' : 'gone');
    const recvAbort = (): void => finish(undefined);
    if (source.readableEnded || source.destroyed) return recvGone();
    signal.addEventListener('abort', recvAbort, { once: true });
    source.on('readable', recvReadable).once('end', recvEnd).once('error', recvGone).once('close', recvGone);
    recvReadable();
  });
}
