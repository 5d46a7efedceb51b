/**
 * A request's body for one attempt after the other.
 *
 *   source ─▶ kept (≤ maxReplayBytes) ─▶ stream of the attempt under way
 *
 * B1  Bytes are taken from the source only when the attempt asks for them: back-pressure runs through, and an attempt that
 *     never got as far leaves the body whole.
 * B2  What was taken is kept until it exceeds the bound; from then on there is no other attempt.
 * B3  An attempt that ends, or gives its stream up, never ends the source; the next one starts from the first byte.
 * B4  When all is over the rest of the source flows into nothing: an answer may come before the body's end, and whoever
 *     still sends must not be left hanging.
 */
import { Readable } from 'node:stream';
import type { Watched } from './idle-watch.ts';

export type ReplayBodyOptions = {
  /** Bytes kept for another attempt; 0: none. */
  readonly maxReplayBytes: number;
  /** Bytes after which the body breaks off; Infinity: any. */
  readonly maxBytes: number;
};

export type ReplayBodyEvents = {
  /** The body is larger than it may be. */
  readonly recvTooLarge: () => void;
  /** Counts chunks as movement. */
  readonly watched: Watched;
};

type State = 'open' | 'ended' | 'broken';

export class ReplayBody implements Disposable {
  readonly #source: Readable;
  readonly #options: ReplayBodyOptions;
  readonly #events: ReplayBodyEvents;
  #kept: Buffer[] | undefined = [];
  #bytes = 0;
  #state: State = 'open';
  #listening = false;
  #current: Readable | undefined;
  /** Index of the kept chunk that the current attempt gets next. */
  #next = 0;

  constructor(source: Readable, options: ReplayBodyOptions, events: ReplayBodyEvents) {
    this.#source = source;
    this.#options = options;
    this.#events = events;
  }

  /** Whether another attempt would get the body from its first byte. */
  get replayable(): boolean {
    return this.#kept !== undefined && this.#state !== 'broken';
  }

  /** Bytes taken from the source. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The body for one more attempt; the stream of the one before is given up. */
  attempt(): Readable {
    this.#release();
    // Nothing may arrive between the kept bytes.
    this.#source.pause();
    if (!this.#listening) this.#listen();
    this.#next = 0;
    const stream: Readable = new Readable({
      read: () => this.#read(stream),
      destroy: (error, callback) => {
        if (this.#current === stream) {
          this.#current = undefined;
          this.#source.pause();
        }
        callback(error);
      },
    });
    // Whoever sends it listens; a stream that was given up has nobody.
    stream.on('error', ignore);
    this.#current = stream;
    if (this.#state === 'broken') stream.destroy(new Error('the caller’s body broke off'));
    return stream;
  }

  /** No attempt follows: what was kept is let go once it was read. */
  [Symbol.dispose](): void {
    this.#release();
    this.#kept = undefined;
    if (!this.#listening) return;
    this.#listening = false;
    this.#source.off('data', this.#recvData).off('end', this.#recvEnd).off('close', this.#recvClose);
    this.#source.resume();
  }

  #release(): void {
    const stream = this.#current;
    this.#current = undefined;
    stream?.destroy();
  }

  #listen(): void {
    this.#listening = true;
    this.#source.on('data', this.#recvData).on('end', this.#recvEnd).on('close', this.#recvClose).on('error', ignore);
    if (this.#source.readableEnded) this.#state = 'ended';
    else if (this.#source.destroyed) this.#state = 'broken';
  }

  #read(stream: Readable): void {
    if (stream !== this.#current) return;
    for (let chunk = this.#kept?.[this.#next]; chunk !== undefined; chunk = this.#kept?.[this.#next]) {
      this.#next += 1;
      if (!stream.push(chunk)) return;
    }
    if (this.#state === 'ended') stream.push(null);
    else this.#source.resume();
  }

  readonly #recvData = (chunk: Buffer): void => {
    this.#events.watched.movement += 1;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#options.maxBytes) {
      this.#source.pause();
      return this.#events.recvTooLarge();
    }
    if (this.#kept !== undefined) this.#keep(this.#kept, chunk);
    if (this.#current === undefined || !this.#current.push(chunk)) this.#source.pause();
  };

  /** The chunk goes to the current attempt right after: it counts as read by it. */
  #keep(kept: Buffer[], chunk: Buffer): void {
    if (this.#bytes > this.#options.maxReplayBytes) {
      this.#kept = undefined;
      return;
    }
    kept.push(chunk);
    if (this.#current !== undefined) this.#next = kept.length;
  }

  /** A paused source may still say that it ended; an attempt that is not through with the kept bytes hears of it later. */
  readonly #recvEnd = (): void => {
    this.#state = 'ended';
    if (this.#kept === undefined || this.#next >= this.#kept.length) this.#current?.push(null);
  };

  readonly #recvClose = (): void => {
    if (this.#state !== 'open') return;
    this.#state = 'broken';
    this.#current?.destroy(new Error('the caller’s body broke off'));
  };
}

function ignore(): void {}
