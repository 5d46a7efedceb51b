/**
 * DATA (RFC 9113 sections 5.2, 6.1 and 6.9).
 *
 * D1  The connection's window is given back at once: a reader that stops holds up its stream, never the others. What a
 *     stream may hold unread is its own window. Only while readers of the whole process leave too much unread is the window
 *     given back as the stream is read: then a reader that stops holds up its connection.
 * D2  What comes for a stream that this side reset is passed over, for the peer may not know yet; for one that ended otherwise
 *     it is STREAM_CLOSED, and for one that nobody opened a connection error (section 5.1).
 * D3  The whole frame counts against the windows, padding included (section 6.1), which nobody reads: it is given back with
 *     the frame's end.
 * D4  Empty frames that end nothing are useless (CVE-2019-9518).
 */
import type { ConnectionCore } from './connection-core.ts';
import { errorCode } from './error-code.ts';
import { ReceiveWindow } from './flow-window.ts';
import { flag } from './frame.ts';
import type { HeaderVerdict } from './frame-reader.ts';
import type { Http2Stream } from './stream.ts';
import { afterRecvEnd, mayReceive } from './stream-state.ts';
import type { UnreadBudget } from './unread-budget.ts';

export class IncomingData {
  readonly #core: ConnectionCore;
  readonly #window: ReceiveWindow;
  readonly #unread: UnreadBudget;
  /** Whose frame is being read. */
  #stream: Http2Stream | undefined;
  #endStream = false;
  #left = 0;

  constructor(core: ConnectionCore, unread: UnreadBudget) {
    this.#core = core;
    this.#unread = unread;
    this.#window = new ReceiveWindow(core.options.connectionWindow);
  }

  recvHeader(flags: number, id: number, length: number): HeaderVerdict {
    const core = this.#core;
    if (!this.#window.recv(length)) core.fail(errorCode.FLOW_CONTROL_ERROR, 'more DATA than the window of the connection');
    const endStream = (flags & flag.endStream) !== 0;
    // D4.
    if (length === 0 && !endStream) core.allows('useless');
    if (!core.isOpen) return 'over';
    const stream = core.streams.get(id);
    const fault = stream === undefined ? this.#stray(id) : this.#fault(stream, length);
    // D1.
    if (stream === undefined || fault || !this.#unread.exceeded) this.#giveBack(length);
    else stream.owed += length;
    if (stream === undefined || fault) return core.isOpen ? 'skip' : 'over';
    this.#stream = stream;
    this.#endStream = endStream;
    this.#left = length;
    return 'take';
  }

  recvPiece(bytes: Buffer): void {
    this.#left -= bytes.length;
    const stream = this.#stream;
    if (stream === undefined || stream.state === 'closed') return;
    stream.unread += bytes.length;
    this.#unread.take(bytes.length);
    stream.events.recvData(bytes);
  }

  recvEnd(): void {
    const stream = this.#stream;
    if (stream === undefined || stream.state === 'closed') return;
    // D3.
    if (this.#left > 0) this.#pass(stream, this.#left);
    if (this.#endStream) this.endOf(stream);
  }

  /** END_STREAM, wherever it stood. */
  endOf(stream: Http2Stream): void {
    stream.state = afterRecvEnd(stream.state);
    if (stream.state === 'closed') this.#core.close(stream, 'ended');
    stream.events.recvEnd();
  }

  /** Its owner has read so much. */
  consume(stream: Http2Stream, bytes: number): void {
    const read = Math.min(stream.unread, bytes);
    stream.unread -= read;
    this.#unread.give(read);
    this.#pass(stream, bytes);
  }

  /** Its owner will read no more. */
  release(stream: Http2Stream): void {
    this.#unread.give(stream.unread);
    stream.unread = 0;
    this.#giveBack(stream.owed);
    stream.owed = 0;
  }

  #pass(stream: Http2Stream, bytes: number): void {
    const owed = Math.min(stream.owed, bytes);
    stream.owed -= owed;
    this.#giveBack(owed);
    if (!mayReceive(stream.state) || !this.#core.isOpen) return;
    const given = stream.receive.consume(bytes);
    if (given > 0) this.#core.sender.windowUpdate(stream.id, given);
  }

  #giveBack(bytes: number): void {
    const given = this.#window.consume(bytes);
    if (given > 0 && this.#core.isOpen) this.#core.sender.windowUpdate(0, given);
  }

  /** D2. */
  #stray(id: number): void {
    const { streams } = this.#core;
    if (streams.isIdle(id)) this.#core.fail(errorCode.PROTOCOL_ERROR, 'DATA on a stream that nobody opened');
    else if (streams.howClosed(id) !== 'reset') this.#core.refuse(id, errorCode.STREAM_CLOSED);
  }

  /** True when the stream was reset for it. */
  #fault(stream: Http2Stream, length: number): boolean {
    const code = this.#faultCode(stream, length);
    if (code === undefined) return false;
    this.#core.fault(stream, code);
    return true;
  }

  #faultCode(stream: Http2Stream, length: number): number | undefined {
    if (!mayReceive(stream.state)) return errorCode.STREAM_CLOSED;
    if (!stream.receive.recv(length)) return errorCode.FLOW_CONTROL_ERROR;
    // Section 8.1: an answer begins with its fields.
    return stream.awaitsAnswer ? errorCode.PROTOCOL_ERROR : undefined;
  }
}
