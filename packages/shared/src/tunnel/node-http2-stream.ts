/**
 * Makes a stream of node:http2 keep N2, N3, N6 and N7 of engine.ts without a layer of our own in the byte path: the stream is
 * handed over as it is, only the few methods that run at its end are replaced on it.
 *
 *   live ── destroy() by its owner ───────────────────────────────────▶ destroyed, RST_STREAM CANCEL sent
 *   live ── peer reset it with NO_ERROR or CANCEL ─▶ remainder ── read ─▶ destroyed
 *   live ── connection gone, data unread ──────────▶ remainder ── read ─▶ destroyed, with an error unless all was complete
 *
 * What Node does instead, and why that will not do (lib/internal/http2/core.js, v26):
 * S1  A reset by the peer ends the writable side in order, `finish` included, as if all had arrived.
 * S2  RST_STREAM CANCEL destroys the stream at once: what was received and not yet read is lost, and `end` may never come.
 * S3  A lost connection looks like a clean `end`; data that arrived complete but unread is lost.
 * S4  destroy() sends NO_ERROR or INTERNAL_ERROR.
 * S5  Of several chunks written together the last one answers for all. An empty last one (node:http ends answers so) is done
 *     before the others are sent: their memory is freed, and whatever stands there by then goes to the peer.
 * `remainder` frees the native stream by running Node's own teardown early, and keeps the JavaScript side for reading.
 */
import { constants } from 'node:http2';
import type { Http2Session, Http2Stream } from 'node:http2';
import { MeshError } from '../observe/mesh-error.ts';
import { ConnectionReset } from './connection-reset.ts';
import { PeerRevoked } from './peer-revoked.ts';

type Teardown = (error: Error | null, callback: (error?: Error | null) => void) => void;

/** Chunks that Writable hands over together; it says there whether all are buffers. */
type Written = { readonly chunk: { readonly length: number } }[];

/** What stream implementers may replace on any Duplex, and the two parts of Node's own that are needed besides. */
type Internals = {
  destroy: (error?: Error | null) => Http2Stream;
  resetAndDestroy: () => void;
  end: (...args: readonly unknown[]) => Http2Stream;
  write: (chunk: unknown, encoding?: unknown, callback?: unknown) => boolean;
  _destroy: Teardown;
  _read: () => void;
  _write: (chunk: unknown, encoding: unknown, callback: () => void) => void;
  _writev: (chunks: Written, callback: () => void) => void;
  _final: (callback: () => void) => void;
  /** `ended`: the end of the stream was received, though maybe not yet read. */
  readonly _readableState: { readonly ended: boolean };
};

/** Puts the stream under N2, N3 and N6. Call it before anything can have happened to the stream. */
export function adoptStream(stream: Http2Stream): void {
  const session = stream.session;
  if (session !== undefined) new AdoptedStream(stream, session).install();
}

class AdoptedStream {
  readonly #stream: Http2Stream;
  readonly #internals: Internals;
  readonly #session: Http2Session;
  readonly #nativeDestroy: Internals['destroy'];
  readonly #nativeTeardown: Teardown;
  readonly #nativeWritev: Internals['_writev'];
  #state: 'live' | 'remainder' = 'live';
  #resetting = false;

  constructor(stream: Http2Stream, session: Http2Session) {
    this.#stream = stream;
    this.#internals = stream as unknown as Internals;
    this.#session = session;
    this.#nativeDestroy = this.#internals.destroy;
    this.#nativeTeardown = this.#internals._destroy;
    this.#nativeWritev = this.#internals._writev;
  }

  install(): void {
    this.#internals.destroy = this.#destroy;
    this.#internals._destroy = this.#teardown;
    this.#internals.resetAndDestroy = this.#reset;
    this.#internals._writev = this.#writev;
    this.#stream.once('aborted', this.#recvAborted);
    this.#stream.on('error', ignore);
  }

  /**
   * `aborted` comes from inside Node's closing of the stream, right before it ends the writable side (S1): that one call is
   * swallowed. A reset with NO_ERROR then waits for the reader, but with a native stream that fails on writes.
   */
  readonly #recvAborted = (): void => {
    const { end } = this.#internals;
    this.#internals.end = () => {
      this.#internals.end = end;
      return this.#stream;
    };
    process.nextTick(() => {
      this.#internals.end = end;
      if (this.#stream.rstCode === constants.NGHTTP2_NO_ERROR && !this.#stream.destroyed) this.#leaveRemainder(undefined);
    });
  };

  /** Called by the owner of the stream, by Node when the peer reset it, and by Node when the session is destroyed. */
  readonly #destroy = (error?: Error | null): Http2Stream => {
    const stream = this.#stream;
    if (this.#state === 'live' && !stream.destroyed) {
      if (this.#session.destroyed) {
        const complete = this.#internals._readableState.ended && stream.writableFinished;
        if (hasUnread(stream, this.#internals)) return this.#leaveRemainder(complete ? undefined : lost(error));
      } else if (stream.closed && stream.rstCode === constants.NGHTTP2_CANCEL) {
        // Only Node's own call finds the stream closed with CANCEL: the teardown below closes it when it is destroyed already.
        return this.#leaveRemainder(undefined);
      }
    }
    return this.#nativeDestroy.call(stream, error ?? undefined);
  };

  /** N7. */
  readonly #reset = (): void => {
    this.#resetting = true;
    if (this.#state === 'live' && !this.#stream.closed) this.#stream.close(constants.NGHTTP2_CONNECT_ERROR);
    this.#stream.destroy();
  };

  /** S5. */
  readonly #writev: Internals['_writev'] = (chunks, callback) => {
    while (chunks.length > 1 && chunks.at(-1)?.chunk.length === 0) chunks.pop();
    this.#nativeWritev.call(this.#stream, chunks, callback);
  };

  readonly #teardown: Teardown = (error, callback) => {
    if (this.#state === 'remainder') return callback(error);
    const stream = this.#stream;
    const wasClosed = stream.closed;
    if (!wasClosed) stream.close(constants.NGHTTP2_CANCEL);
    const cutOff = this.#session.destroyed && (!wasClosed || stream.rstCode === constants.NGHTTP2_CANCEL);
    // N7: Node's own error, for a reset by the peer, says only that there was one.
    const passedOn = stream.rstCode === constants.NGHTTP2_CONNECT_ERROR ? this.#connectError() : error;
    this.#nativeTeardown.call(stream, cutOff ? lost(error) : passedOn, callback);
  };

  #connectError(): Error | null {
    return this.#resetting ? null : new ConnectionReset();
  }

  #leaveRemainder(finalError: Error | undefined): Http2Stream {
    if (this.#state === 'remainder') return this.#stream;
    this.#state = 'remainder';
    const stream = this.#stream;
    const internals = this.#internals;
    internals.write = discard;
    internals._read = ignore;
    internals._write = (_chunk, _encoding, callback) => callback();
    internals._writev = (_chunks, callback) => callback();
    internals._final = (callback) => callback();
    // Node's own first listener stops the native stream, which is gone; it would throw.
    const [stopNative] = stream.listeners('pause');
    if (stopNative !== undefined) stream.off('pause', stopNative);
    this.#nativeTeardown.call(stream, null, ignore);
    if (stream.readableEnded) process.nextTick(() => this.#nativeDestroy.call(stream, finalError));
    else stream.once('end', () => this.#nativeDestroy.call(stream, finalError));
    return stream;
  }
}

function hasUnread(stream: Http2Stream, internals: Internals): boolean {
  return stream.readableLength > 0 || (internals._readableState.ended && !stream.readableEnded);
}

function lost(cause: Error | null | undefined): Error {
  if (cause instanceof PeerRevoked) return cause;
  return new MeshError('MESH-HBONE-004', { message: 'the tunnel connection ended before the stream did', cause });
}

function discard(_chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
  const done = typeof encoding === 'function' ? encoding : callback;
  if (typeof done === 'function') process.nextTick(done);
  return true;
}

function ignore(): void {}
