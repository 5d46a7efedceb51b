/**
 * One HTTP/2 connection as far as tunnels need it, without a socket: bytes → events, commands → bytes in the outbox.
 *
 *   bytes ─▶ FrameReader ─▶ frame-rules ─┬─▶ IncomingData ─────┐
 *                                        ├─▶ IncomingMessages ─┼─▶ events of streams and of the connection
 *                                        └─▶ IncomingControl ──┘
 *   commands ─▶ FrameSender ─▶ Outbox ─▶ bytes
 *
 * C1  Nothing a peer sends throws; how errors are answered stands in connection-core.ts.
 * C2  The first frame of a peer is SETTINGS (RFC 9113 section 3.4); within a header block nothing but its CONTINUATION comes
 *     (section 6.10).
 * C3  Priorities and unknown frames are passed over (sections 5.3.2 and 5.5).
 * C4  A peer that reads nothing is owed so much and no more.
 */
import { ConnectionCore } from './connection-core.ts';
import type { ConnectionDeps, ConnectionOptions } from './connection-parts.ts';
import { errorCode } from './error-code.ts';
import { defaultWindow, flag, frameType, max31Bits } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import type { FrameSink, HeaderVerdict } from './frame-reader.ts';
import { frameFault } from './frame-rules.ts';
import type { FrameFault } from './frame-rules.ts';
import { IncomingControl } from './incoming-control.ts';
import { IncomingData } from './incoming-data.ts';
import { IncomingMessages } from './incoming-messages.ts';
import type { Outbox } from './outbox.ts';
import { settingId } from './settings.ts';
import { Http2Stream } from './stream.ts';
import type { StreamEvents } from './stream.ts';
import { afterSendEnd, maySend } from './stream-state.ts';

/** C4. */
const maxOwedBytes = 1024 * 1024;

export class Http2Connection implements FrameSink {
  readonly #core: ConnectionCore;
  readonly #reader: FrameReader;
  readonly #data: IncomingData;
  readonly #messages: IncomingMessages;
  readonly #control: IncomingControl;

  constructor(options: ConnectionOptions, deps: ConnectionDeps) {
    this.#core = new ConnectionCore(options, deps);
    this.#reader = new FrameReader(options.role, this);
    this.#data = new IncomingData(this.#core, deps.unread);
    this.#messages = new IncomingMessages(this.#core, this.#data);
    this.#control = new IncomingControl(this.#core);
  }

  get outbox(): Outbox {
    return this.#core.sender.outbox;
  }

  /** SETTINGS_MAX_CONCURRENT_STREAMS of the peer; Infinity until it says otherwise. */
  get peerMaxStreams(): number {
    return this.#core.peer?.maxConcurrentStreams ?? Infinity;
  }

  /** Client only: there is room for a stream. */
  get mayOpen(): boolean {
    const { streams, isOpen } = this.#core;
    return isOpen && streams.hasIds && streams.size < this.peerMaxStreams;
  }

  /** Section 3.4: what either side says first. */
  greet(): void {
    const { sender, options, isClient } = this.#core;
    if (isClient) sender.preface();
    sender.settings([
      isClient ? [settingId.enablePush, 0] : [settingId.maxConcurrentStreams, options.maxConcurrentStreams],
      [settingId.initialWindowSize, options.streamWindow],
      [settingId.maxFrameSize, options.maxFrame],
      [settingId.maxHeaderListSize, options.maxHeaderList],
    ]);
    if (options.connectionWindow > defaultWindow) sender.windowUpdate(0, options.connectionWindow - defaultWindow);
  }

  recv(bytes: Buffer): void {
    if (this.#core.isOpen) this.#reader.recv(bytes);
  }

  /** Client only: sends a CONNECT. */
  open(fields: readonly string[], events: StreamEvents): Http2Stream {
    const { sender, streams, options, initialSendWindow } = this.#core;
    const windows = { send: initialSendWindow, receive: options.streamWindow };
    const stream = new Http2Stream(streams.takeId(), { ...windows, tunnel: true }, events);
    stream.awaitsAnswer = true;
    streams.add(stream);
    sender.headers(stream.id, fields, false);
    return stream;
  }

  /** Server only. */
  answer(stream: Http2Stream, fields: readonly string[], endStream: boolean): void {
    if (!maySend(stream.state)) return;
    this.#core.sender.headers(stream.id, fields, endStream);
    if (endStream) this.#ended(stream);
  }

  /** Sends bytes from a place on, and gives how many went; `recvCapacity` tells when to try the rest. */
  sendData(stream: Http2Stream, bytes: Uint8Array, from: number): number {
    return maySend(stream.state) ? this.#core.sender.data(stream, bytes, from) : bytes.length - from;
  }

  /** Begins one frame of so many bytes, which the caller puts into the outbox now. False: it does not fit as one. */
  sendWhole(stream: Http2Stream, length: number): boolean {
    return maySend(stream.state) && this.#core.sender.whole(stream, length);
  }

  /** Whether the outbox has room for so many bytes; if not, `recvCapacity` tells when it has some again. */
  hasRoom(stream: Http2Stream, bytes: number): boolean {
    return !maySend(stream.state) || this.#core.sender.hasRoom(stream, bytes);
  }

  sendEnd(stream: Http2Stream): void {
    if (!maySend(stream.state)) return;
    this.#core.sender.end(stream);
    this.#ended(stream);
  }

  reset(stream: Http2Stream, code: number): void {
    if (stream.state === 'closed') return;
    this.#core.sender.reset(stream.id, code);
    this.#core.close(stream, 'reset');
  }

  /** Bytes that `recvData` gave have been read. */
  consume(stream: Http2Stream, bytes: number): void {
    this.#data.consume(stream, bytes);
  }

  /** Nobody reads what `recvData` gave and was not consumed. */
  release(stream: Http2Stream): void {
    this.#data.release(stream);
  }

  ping(): void {
    if (this.#core.isOpen) this.#core.sender.ping(0, pingPayload);
  }

  /** No stream that the peer opens from now on is taken; those that are open go on. */
  goaway(): void {
    if (this.#core.isOpen) this.#core.goaway(errorCode.NO_ERROR);
  }

  /** Ends the connection: nothing more is read, and only what is in the outbox is still to be sent. */
  goodbye(): void {
    if (!this.#core.isOpen) return;
    this.goaway();
    this.#core.end();
    this.#reader.stop();
  }

  /** The transport is gone, or will be, and so is every stream. */
  lose(cause?: Error): void {
    this.#core.end();
    this.#reader.stop();
    for (const stream of this.#core.streams.values()) {
      if (stream.state === 'closed') continue;
      this.#core.close(stream, 'ended');
      stream.events.recvLost(cause);
    }
  }

  /** The outbox was taken: there is room again. */
  recvRoom(): void {
    if (this.#core.isOpen) this.#core.sender.recvRoom();
  }

  recvFrameHeader(type: number, flags: number, stream: number, length: number): HeaderVerdict {
    const core = this.#core;
    const fault = frameFault(type, flags, stream, length, core.options.maxFrame) ?? this.#misplaced(type, flags, stream);
    if (fault !== undefined) core.fail(fault.code, fault.detail);
    else if (type === frameType.data) return this.#data.recvHeader(flags, stream, length);
    else if (type !== frameType.priority && type <= frameType.continuation) return 'take';
    // C3.
    else if (core.allows('useless')) {
      if (type === frameType.priority) this.#control.recvPriority(stream, length);
      if (core.isOpen) return 'skip';
    }
    return 'over';
  }

  recvDataPiece(bytes: Buffer): boolean {
    this.#data.recvPiece(bytes);
    return this.#core.isOpen;
  }

  recvDataEnd(): boolean {
    this.#data.recvEnd();
    return this.#core.isOpen;
  }

  recvFrame(type: number, flags: number, stream: number, payload: Buffer): boolean {
    this.#dispatch(type, flags, stream, payload);
    // C4.
    if (this.outbox.length > maxOwedBytes) this.#core.flood('answers that nobody reads');
    return this.#core.isOpen;
  }

  recvGarbage(code: number, detail: string): void {
    this.#core.fail(code, detail);
  }

  /** C2. */
  #misplaced(type: number, flags: number, stream: number): FrameFault | undefined {
    const { open } = this.#messages;
    if (this.#core.peer === undefined && (type !== frameType.settings || (flags & flag.ack) !== 0))
      return { code: errorCode.PROTOCOL_ERROR, detail: 'the first frame is no SETTINGS' };
    if (open !== undefined && (type !== frameType.continuation || stream !== open))
      return { code: errorCode.PROTOCOL_ERROR, detail: 'another frame within a header block' };
    return undefined;
  }

  #dispatch(type: number, flags: number, stream: number, payload: Buffer): void {
    switch (type) {
      case frameType.headers:
        return this.#messages.recvHeaders(flags, stream, payload);
      case frameType.continuation:
        return this.#messages.recvContinuation(flags, payload);
      case frameType.pushPromise:
        return this.#messages.recvPush(flags, payload, this.#control.settled);
      case frameType.settings:
        return this.#control.recvSettings(flags, payload);
      case frameType.ping:
        return this.#control.recvPing(flags, payload);
      case frameType.goaway:
        return this.#control.recvGoaway(payload.readUInt32BE(0) & max31Bits, payload.readUInt32BE(4));
      case frameType.rstStream:
        return this.#control.recvReset(stream, payload.readUInt32BE(0));
      case frameType.windowUpdate:
        return this.#control.recvWindow(stream, payload.readUInt32BE(0) & max31Bits);
      default:
    }
  }

  #ended(stream: Http2Stream): void {
    stream.state = afterSendEnd(stream.state);
    if (stream.state === 'closed') this.#core.close(stream, 'ended');
  }
}

const pingPayload = Buffer.alloc(8);
