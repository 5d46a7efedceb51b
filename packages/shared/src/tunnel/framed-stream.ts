/**
 * A stream of the framed engine as its owner sees it: a Duplex that keeps N1 to N7 of engine.ts.
 *
 *   live ── destroy() by its owner ────────────────────────▶ destroyed, RST_STREAM CANCEL sent (or CONNECT_ERROR, N7)
 *   live ── peer reset it with NO_ERROR or CANCEL ─▶ rest: ended ── read ─▶ destroyed
 *   live ── connection gone, data unread ──────────▶ rest: cut ──── read ─▶ destroyed, with an error unless all was complete
 *
 * T1  What was read, and nothing else, is given back to the peer: its window is what may wait here.
 * T2  Bytes for a reader who listens and has read all before go to him at once, past the buffer and its turn of the loop:
 *     most bytes of a tunnel do (`npm run bench -- engine`).
 * T3  A write is done once its frames are in the outbox, which is bounded; what does not fit waits here, one write at a time.
 * T4  Chunks that are written together go in one frame, text and bytes alike.
 * T5  A socket that feeds a stream is read into the session's buffer, from which frames are made at once. It is read again
 *     once the outbox has room for another read; only what the peer has no room for is copied, to wait.
 * T6  Who lends gives bytes out of the buffer they were read into, to be gathered on their way; everybody else gets a copy
 *     to keep. Gathered bytes are written before an end of any kind is told.
 * T7  A listener that throws harms its own stream at most: the connection reads on.
 */
import { Duplex } from 'node:stream';
import type { Writable } from 'node:stream';
import { readBorrowed } from '../net/borrowed-reads.ts';
import type { Borrower, Lender } from '../net/relay.ts';
import type { Clock } from '../lifecycle/clock.ts';
import type { Http2Connection } from '../http2/connection.ts';
import { errorCode, errorCodeName } from '../http2/error-code.ts';
import type { Http2Stream, StreamEvents } from '../http2/stream.ts';
import { MeshError } from '../observe/mesh-error.ts';
import { ConnectionReset } from './connection-reset.ts';
import type { GatheredWrites } from './gathered-writes.ts';
import { IdleTimeout } from './idle-timeout.ts';

export type FramedStreamDeps = {
  readonly connection: Http2Connection;
  readonly clock: Clock;
  /** T5. */
  readonly readBuffer: Buffer;
  /** T6. */
  readonly gathered: GatheredWrites;
  /** The stream is gone for good. */
  readonly onClose: () => void;
};

/** `rest`: nothing more comes or goes, but what came can still be read. */
type State = { readonly kind: 'live' } | { readonly kind: 'rest' };
type Pending = { readonly bytes: Uint8Array; from: number; readonly callback: Done };
type Done = (error?: Error | null) => void;
type Written = { readonly chunk: Buffer | string; readonly encoding: BufferEncoding };

/** Bytes that wait for a reader before it is asked whether there is one: as much as is read from a socket at once. */
const highWaterMark = 64 * 1024;
const live: State = { kind: 'live' };
const rest: State = { kind: 'rest' };

export class FramedStream extends Duplex implements StreamEvents, Borrower, Lender {
  readonly #stream: Http2Stream;
  readonly #deps: FramedStreamDeps;
  #state: State = live;
  /** T1. Bytes handed to the Readable and not given back yet. */
  #held = 0;
  #ended = false;
  /** T6. */
  #lends = false;
  /** T5. */
  #awaitsRoom = false;
  #code: number = errorCode.NO_ERROR;
  /** T3. */
  #pending: Pending | undefined;
  #idle: IdleTimeout | undefined;

  constructor(stream: Http2Stream, deps: FramedStreamDeps) {
    super({ allowHalfOpen: true, decodeStrings: false, highWaterMark });
    this.#stream = stream;
    this.#deps = deps;
    // N5.
    this.on('error', ignore);
  }

  /** What the peer reset it with. */
  get rstCode(): number {
    return this.#code;
  }

  recvHeaders(): void {}

  recvData(bytes: Buffer): void {
    if (this.destroyed || this.#ended) return;
    try {
      // T2.
      if (this.readableFlowing === true && this.readableLength === 0 && this.readableEncoding === null) {
        this.#deps.connection.consume(this.#stream, bytes.length);
        this.emit('data', this.#lends ? bytes : Buffer.from(bytes));
      } else {
        this.#held += bytes.length;
        this.push(Buffer.from(bytes));
      }
    } catch (error) {
      rethrow(error);
    }
  }

  recvEnd(): void {
    if (this.destroyed || this.#ended) return;
    this.#ended = true;
    this.#deps.gathered.flush();
    this.push(null);
  }

  /** N2. */
  recvReset(code: number): void {
    if (this.destroyed) return;
    this.#deps.gathered.flush();
    this.#code = code;
    if (code !== errorCode.NO_ERROR && code !== errorCode.CANCEL) {
      const isPassedOn = code === errorCode.CONNECT_ERROR;
      this.destroy(isPassedOn ? new ConnectionReset() : failure(`the stream was reset with ${errorCodeName(code)}`));
      return;
    }
    this.#enterRest();
    try {
      this.emit('aborted');
    } catch (error) {
      rethrow(error);
    }
    if (this.readableEnded) process.nextTick(() => this.destroy());
    else this.once('end', () => this.destroy());
    this.recvEnd();
  }

  recvCapacity(): void {
    if (this.#awaitsRoom) this.#tellRoom();
    const pending = this.#pending;
    if (pending === undefined) return;
    pending.from += this.#deps.connection.sendData(this.#stream, pending.bytes, pending.from);
    if (pending.from < pending.bytes.length) return;
    this.#pending = undefined;
    try {
      pending.callback();
    } catch (error) {
      rethrow(error);
    }
  }

  /** N7. */
  resetAndDestroy(): void {
    this.#deps.connection.reset(this.#stream, errorCode.CONNECT_ERROR);
    this.destroy();
  }

  /** N6. */
  recvLost(cause?: Error): void {
    if (this.destroyed) return;
    this.#deps.gathered.flush();
    const lost = cause ?? failure('the tunnel connection ended before the stream did');
    const complete = this.#ended && this.writableFinished;
    if (this.#ended && !this.readableEnded) {
      this.#enterRest();
      this.once('end', () => this.destroy(complete ? undefined : lost));
    } else if (this.readableLength > 0) this.#endOnceRead(lost);
    else this.destroy(complete ? undefined : lost);
  }

  /** `timeout` is emitted so long after the last call; 0: never. */
  setTimeout(ms: number): this {
    if (this.destroyed || (ms === 0 && this.#idle === undefined)) return this;
    this.#idle ??= new IdleTimeout(this.#deps.clock, () => this.emit('timeout'));
    this.#idle.set(ms);
    return this;
  }

  /** T5. */
  borrowFrom(source: Duplex): boolean {
    return readBorrowed(source, this.#deps.readBuffer, (bytes) => source.emit('data', bytes));
  }

  /** T5. */
  writeBorrowed(bytes: Buffer): boolean {
    if (this.#state === rest || this.writableLength > 0 || this.writableEnded || this.destroyed)
      return this.write(Buffer.from(bytes));
    const { connection, readBuffer } = this.#deps;
    const sent = connection.sendData(this.#stream, bytes, 0);
    if (sent < bytes.length) return this.write(Buffer.from(bytes.subarray(sent)));
    this.#awaitsRoom = !connection.hasRoom(this.#stream, readBuffer.length);
    return !this.#awaitsRoom;
  }

  /** T1: at each read, since Readable asks for more only once until more comes. */
  override read(size?: number): unknown {
    const chunk: unknown = super.read(size);
    this.#giveBack();
    return chunk;
  }

  /** T6. */
  lend(): void {
    this.#lends = true;
  }

  /** T6. */
  lendTo(to: Writable, bytes: Buffer): boolean {
    return this.#deps.gathered.write(to, bytes);
  }

  override _read(): void {
    this.#giveBack();
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, callback: Done): void {
    if (typeof chunk !== 'string') return this.#send(chunk, callback);
    this._writev([{ chunk, encoding }], callback);
  }

  /** T4. */
  override _writev(chunks: readonly Written[], callback: Done): void {
    let length = 0;
    for (const written of chunks) length += lengthOf(written);
    const { connection } = this.#deps;
    if (this.#state === rest || length === 0) return callback();
    if (!connection.sendWhole(this.#stream, length)) return this.#send(Buffer.concat(chunks.map(bytesOf), length), callback);
    const { outbox } = connection;
    for (const { chunk, encoding } of chunks) {
      if (typeof chunk === 'string') outbox.putText(chunk, encoding);
      else outbox.putBytes(chunk, 0, chunk.length);
    }
    callback();
  }

  /** N1, and N2: after a reset nothing is said to have arrived. */
  override _final(callback: Done): void {
    if (this.#state === rest) return;
    this.#deps.connection.sendEnd(this.#stream);
    callback();
  }

  /** N3. */
  override _destroy(error: Error | null, callback: Done): void {
    this.#pending = undefined;
    this.#idle?.cancel();
    this.#deps.connection.reset(this.#stream, errorCode.CANCEL);
    this.#deps.connection.release(this.#stream);
    this.#deps.onClose();
    callback(error);
  }

  #giveBack(): void {
    const read = this.#held - this.readableLength;
    if (read <= 0) return;
    this.#held -= read;
    this.#deps.connection.consume(this.#stream, read);
  }

  #send(bytes: Uint8Array, callback: Done): void {
    if (this.#state === rest) return callback();
    const sent = this.#deps.connection.sendData(this.#stream, bytes, 0);
    if (sent === bytes.length) callback();
    else this.#pending = { bytes, from: sent, callback };
  }

  /** T5. */
  #tellRoom(): void {
    this.#awaitsRoom = false;
    try {
      this.emit('drain');
    } catch (error) {
      rethrow(error);
    }
  }

  /** What is still written is discarded. */
  #enterRest(): void {
    this.#state = rest;
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending !== undefined) process.nextTick(pending.callback);
  }

  /** A cut must not look like an end: no `end` comes, but an error when the last byte was read. */
  #endOnceRead(lost: Error): void {
    this.#enterRest();
    const read = this.read.bind(this);
    this.read = (size?: number): unknown => {
      const chunk: unknown = read(size);
      if (this.readableLength === 0) process.nextTick(() => this.destroy(lost));
      return chunk;
    };
  }
}

function lengthOf({ chunk, encoding }: Written): number {
  if (typeof chunk !== 'string') return chunk.length;
  return encoding === 'latin1' ? chunk.length : Buffer.byteLength(chunk, encoding);
}

function bytesOf({ chunk, encoding }: Written): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
}

/** T7. */
function rethrow(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}

function failure(message: string): MeshError {
  return new MeshError('MESH-HBONE-004', { message });
}

function ignore(): void {}
