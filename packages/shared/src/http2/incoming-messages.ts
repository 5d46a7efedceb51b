/**
 * HEADERS and CONTINUATION as requests, answers and trailers (RFC 9113 sections 6.2, 8.1, 8.3 and 8.5).
 *
 * M1  Streams of the peer count up and have a client's parity (section 5.1.1); a server opens none, for nobody takes pushes.
 * M2  HEADERS on a stream that ended are STREAM_CLOSED, on one that was skipped PROTOCOL_ERROR, both of the connection; on
 *     one that this side reset they are read for their table and passed over (section 5.1).
 * M3  A malformed message resets its stream (section 8.1.1); so does a list that is longer than agreed (section 10.5.1).
 * M4  A stream beyond the limit, or above our GOAWAY, is refused, which is safe to repeat (sections 5.1.2, 6.8 and 8.7).
 * M5  A tunnel carries nothing but DATA (section 8.5); other messages may have trailers, which end them (section 8.1).
 */
import type { ConnectionCore } from './connection-core.ts';
import { errorCode } from './error-code.ts';
import { flag, max31Bits } from './frame.ts';
import { HeaderReader } from './header-reader.ts';
import type { HeaderOutcome } from './header-reader.ts';
import { malformedAnswer, malformedRequest, malformedTrailers } from './header-rules.ts';
import type { IncomingData } from './incoming-data.ts';
import { Http2Stream } from './stream.ts';
import type { StreamEvents } from './stream.ts';
import { mayReceive } from './stream-state.ts';

export class IncomingMessages {
  readonly #core: ConnectionCore;
  readonly #data: IncomingData;
  readonly #reader: HeaderReader;

  constructor(core: ConnectionCore, data: IncomingData) {
    this.#core = core;
    this.#data = data;
    this.#reader = new HeaderReader(core.options.maxHeaderList);
  }

  /** The stream whose header block is not complete yet. */
  get open(): number | undefined {
    return this.#reader.open;
  }

  recvHeaders(flags: number, id: number, payload: Buffer): void {
    const { streams } = this.#core;
    if (streams.isIdle(id)) {
      // M1.
      if (this.#core.isClient || id % 2 === 0)
        return this.#core.fail(errorCode.PROTOCOL_ERROR, `the peer may not open a stream ${id}`);
      streams.recvId(id);
    } else if (streams.get(id) === undefined && streams.howClosed(id) !== 'reset') {
      // M2.
      const code = streams.howClosed(id) === 'ended' ? errorCode.STREAM_CLOSED : errorCode.PROTOCOL_ERROR;
      return this.#core.fail(code, 'HEADERS on a stream that is over');
    }
    this.#recvBlock(this.#reader.recvHeaders(flags, id, payload));
  }

  recvContinuation(flags: number, payload: Buffer): void {
    this.#recvBlock(this.#reader.recvContinuation(flags, payload));
  }

  /**
   * Section 8.4: a client said that it takes none, which the server may not have read yet. What it promises is read for its
   * table.
   */
  recvPush(flags: number, payload: Buffer, settled: boolean): void {
    const id = payload.length < 4 ? 0 : payload.readUInt32BE(0) & max31Bits;
    const plain = (flags & (flag.endHeaders | flag.padded)) === flag.endHeaders;
    if (!this.#core.isClient || settled || !plain || id === 0 || id % 2 === 1 || !this.#core.streams.isIdle(id))
      return this.#core.fail(errorCode.PROTOCOL_ERROR, 'PUSH_PROMISE to who takes none');
    this.#core.streams.recvId(id);
    const outcome = this.#reader.recvHeaders(flag.endHeaders, id, payload.subarray(4));
    if (outcome.kind === 'fields') this.#core.refuse(id, errorCode.REFUSED_STREAM);
    else this.#recvBlock(outcome);
  }

  #recvBlock(outcome: HeaderOutcome): void {
    switch (outcome.kind) {
      case 'more':
        return;
      case 'fault':
        return this.#core.fail(outcome.code, outcome.detail);
      case 'flood':
        return this.#core.flood(outcome.detail);
      case 'too-large':
        return this.#reset(outcome.stream, errorCode.ENHANCE_YOUR_CALM);
      case 'fields':
        return this.#recvFields(outcome);
    }
  }

  #recvFields({ stream: id, endStream, fields }: HeaderOutcome & { readonly kind: 'fields' }): void {
    const stream = this.#core.streams.get(id);
    if (stream === undefined) {
      // M2.
      if (!this.#core.isClient && this.#core.streams.howClosed(id) === undefined) this.#recvRequest(id, fields, endStream);
    } else if (!mayReceive(stream.state)) this.#core.fault(stream, errorCode.STREAM_CLOSED);
    else if (stream.awaitsAnswer) this.#recvAnswer(stream, fields, endStream);
    else this.#recvTrailers(stream, fields, endStream);
  }

  #recvRequest(id: number, fields: readonly string[], endStream: boolean): void {
    const { options, streams, initialSendWindow } = this.#core;
    // M4.
    if (!this.#core.isTaken(id) || streams.size >= options.maxConcurrentStreams)
      return this.#core.refuse(id, errorCode.REFUSED_STREAM);
    // M3.
    if (malformedRequest(fields) !== undefined) return this.#core.refuse(id, errorCode.PROTOCOL_ERROR);
    const tunnel = fields[fields.indexOf(':method') + 1] === 'CONNECT';
    const stream = new Http2Stream(id, { send: initialSendWindow, receive: options.streamWindow, tunnel }, nobody);
    streams.add(stream);
    this.#core.events.recvRequest(stream, fields);
    if (endStream && stream.state !== 'closed') this.#data.endOf(stream);
  }

  #recvAnswer(stream: Http2Stream, fields: readonly string[], endStream: boolean): void {
    // Any number of informational answers before the answer itself, and none of them ends the stream.
    const informational = fields[1]?.startsWith('1') === true;
    // M3.
    if (malformedAnswer(fields) !== undefined || (informational && endStream))
      return this.#core.fault(stream, errorCode.PROTOCOL_ERROR);
    if (informational) return;
    stream.awaitsAnswer = false;
    stream.events.recvHeaders(fields);
    if (endStream && stream.state !== 'closed') this.#data.endOf(stream);
  }

  /** M5. */
  #recvTrailers(stream: Http2Stream, fields: readonly string[], endStream: boolean): void {
    if (stream.tunnel || !endStream || malformedTrailers(fields) !== undefined)
      return this.#core.fault(stream, errorCode.PROTOCOL_ERROR);
    this.#data.endOf(stream);
  }

  #reset(id: number, code: number): void {
    const stream = this.#core.streams.get(id);
    if (stream === undefined) this.#core.refuse(id, code);
    else this.#core.fault(stream, code);
  }
}

/** Between a request and its owner, which come in one call. */
const nobody: StreamEvents = {
  recvHeaders: ignore,
  recvData: ignore,
  recvEnd: ignore,
  recvReset: ignore,
  recvCapacity: ignore,
  recvLost: ignore,
};

function ignore(): void {}
