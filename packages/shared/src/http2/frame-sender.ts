/**
 * What is sent: commands to frames in the outbox, within the windows of the peer.
 *
 * S1  Data goes as far as the stream's window, the connection's, the peer's MAX_FRAME_SIZE and the outbox allow (RFC 9113
 *     sections 4.2 and 6.9); its owner keeps the rest and is told when it may try again.
 * S2  Streams that wait for the connection or the outbox go on in turn, so much at a time: a large answer does not hold up a
 *     small one.
 * S3  Header blocks are not subject to flow control (section 5.2.1); they are cut to the peer's frame size (section 6.10).
 */
import { defaultWindow, flag, frameType, preface } from './frame.ts';
import { SendWindow } from './flow-window.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import type { EncoderOptions } from './hpack-encoder.ts';
import { Outbox } from './outbox.ts';
import type { Slabs } from './outbox.ts';
import { assumedSettings, settingsPayload } from './settings.ts';
import type { PeerSettings } from './settings.ts';
import type { Http2Stream } from './stream.ts';

/** S2. While others wait. */
const turnBytes = 32 * 1024;
/** Room for less than this is not worth a frame while more has to go. */
const leastBytes = 2 * 1024;

export type SenderDeps = {
  readonly slabs: Slabs;
  /** The outbox was empty and is not any more. */
  readonly onPending: () => void;
};

export class FrameSender {
  readonly outbox: Outbox;
  readonly #encoder: HpackEncoder;
  readonly #onPending: () => void;
  readonly #window = new SendWindow(defaultWindow);
  readonly #waiting = new Set<Http2Stream>();
  #peer: PeerSettings = assumedSettings;

  constructor(options: EncoderOptions, deps: SenderDeps) {
    this.outbox = new Outbox(deps.slabs);
    this.#encoder = new HpackEncoder(options);
    this.#onPending = deps.onPending;
  }

  /** Section 3.4. */
  preface(): void {
    if (this.outbox.length === 0) this.#onPending();
    this.outbox.putRaw(preface);
  }

  settings(entries: readonly (readonly [id: number, value: number])[]): void {
    this.#frame(frameType.settings, 0, 0, settingsPayload(entries));
  }

  settingsAck(): void {
    this.#begin(0, frameType.settings, flag.ack, 0);
  }

  ping(flags: number, payload: Buffer): void {
    this.#frame(frameType.ping, flags, 0, payload);
  }

  goaway(lastStream: number, code: number): void {
    this.#begin(8, frameType.goaway, 0, 0);
    this.outbox.putU32(lastStream);
    this.outbox.putU32(code);
  }

  windowUpdate(stream: number, bytes: number): void {
    this.#begin(4, frameType.windowUpdate, 0, stream);
    this.outbox.putU32(bytes);
  }

  reset(stream: number, code: number): void {
    this.#begin(4, frameType.rstStream, 0, stream);
    this.outbox.putU32(code);
  }

  /** S3. */
  headers(stream: number, fields: readonly string[], endStream: boolean): void {
    const block = this.#encoder.encode(fields);
    const max = this.#peer.maxFrameSize;
    const end = endStream ? flag.endStream : 0;
    if (block.length <= max) return this.#frame(frameType.headers, end | flag.endHeaders, stream, block);
    this.#frame(frameType.headers, end, stream, block.subarray(0, max));
    for (let at = max; at < block.length; at += max) {
      const last = at + max >= block.length;
      this.#frame(frameType.continuation, last ? flag.endHeaders : 0, stream, block.subarray(at, at + max));
    }
  }

  /** S1. Sends from a place on, and gives how many bytes went. */
  data(stream: Http2Stream, bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length) {
      const left = bytes.length - at;
      const allowed = Math.min(left, stream.send.left, this.#peer.maxFrameSize);
      // The stream's own window: its WINDOW_UPDATE tells the owner.
      if (allowed <= 0) break;
      const { room } = this.outbox;
      const count = Math.min(allowed, this.#window.left, room, this.#waiting.size > 0 ? turnBytes : allowed);
      if (count <= 0 || room < Math.min(allowed, leastBytes)) {
        this.#waiting.add(stream);
        break;
      }
      this.#beginData(stream, count);
      this.outbox.putBytes(bytes, at, at + count);
      at += count;
      if (this.#waiting.size > 0 && at < bytes.length) {
        this.#waiting.add(stream);
        break;
      }
    }
    return at - from;
  }

  /** Begins one frame of so many bytes, which the caller puts into the outbox now; false when it does not fit (S1). */
  whole(stream: Http2Stream, length: number): boolean {
    const { room } = this.outbox;
    if (length > room || length > stream.send.left || length > this.#window.left || length > this.#peer.maxFrameSize)
      return false;
    if (this.#waiting.size > 0 && length > turnBytes) return false;
    this.#beginData(stream, length);
    return true;
  }

  /** False: the stream waits for the outbox from now on (S2). */
  hasRoom(stream: Http2Stream, bytes: number): boolean {
    if (this.outbox.room >= bytes) return true;
    this.#waiting.add(stream);
    return false;
  }

  end(stream: Http2Stream): void {
    this.#begin(0, frameType.data, flag.endStream, stream.id);
  }

  /** The stream is over: it waits for nothing. */
  forget(stream: Http2Stream): void {
    this.#waiting.delete(stream);
  }

  /** The outbox was taken; those who wait fill it again (S2). */
  recvRoom(): void {
    if (this.#waiting.size === 0) return;
    // Each once: whoever still has something to send waits for the next time.
    for (const stream of Array.from(this.#waiting)) {
      if (this.outbox.room < leastBytes || this.#window.left <= 0) return;
      this.#waiting.delete(stream);
      stream.events.recvCapacity();
    }
  }

  /** False: FLOW_CONTROL_ERROR (section 6.9.1). */
  recvWindow(bytes: number): boolean {
    if (!this.#window.grow(bytes)) return false;
    this.recvRoom();
    return true;
  }

  recvSettings(peer: PeerSettings): void {
    this.#peer = peer;
    this.#encoder.recvTableSize(peer.headerTableSize);
  }

  #beginData(stream: Http2Stream, length: number): void {
    this.#begin(length, frameType.data, 0, stream.id);
    stream.send.consume(length);
    this.#window.consume(length);
  }

  #begin(length: number, type: number, flags: number, stream: number): void {
    if (this.outbox.length === 0) this.#onPending();
    this.outbox.putHeader(length, type, flags, stream);
  }

  #frame(type: number, flags: number, stream: number, payload: Buffer): void {
    this.#begin(payload.length, type, flags, stream);
    this.outbox.putBytes(payload, 0, payload.length);
  }
}
