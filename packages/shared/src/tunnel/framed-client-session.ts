import type { Duplex } from 'node:stream';
import { errorCode, errorCodeName } from '../http2/error-code.ts';
import { isFieldValue } from '../http2/header-rules.ts';
import type { Http2Stream, StreamEvents } from '../http2/stream.ts';
import { MeshError } from '../observe/mesh-error.ts';
import { connectHeadersIn, requestHeaderList } from './connect-headers.ts';
import type { ClientSession, ConnectRequest, ConnectResponse, EngineSettings, SessionEnd } from './engine.ts';
import { FramedSession } from './framed-session.ts';
import type { FramedDeps } from './framed-session.ts';
import { FramedStream } from './framed-stream.ts';

export class FramedClientSession implements ClientSession {
  readonly #session: FramedSession;

  constructor(transport: Duplex, settings: EngineSettings, deps: FramedDeps) {
    const recvSettings = (): void => this.#session.firstFramesArrived();
    this.#session = new FramedSession('client', transport, settings, { recvRequest: ignore, recvSettings }, deps);
  }

  get activeStreams(): number {
    return this.#session.activeStreams;
  }

  get peerMaxStreams(): number {
    return this.#session.connection.peerMaxStreams;
  }

  get usable(): boolean {
    return this.#session.serving;
  }

  get peerDraining(): Promise<void> {
    return this.#session.peerDraining;
  }

  get closed(): Promise<SessionEnd> {
    return this.#session.closed;
  }

  open(request: ConnectRequest, signal: AbortSignal): Promise<ConnectResponse> {
    if (signal.aborted) return Promise.resolve(failed('given up before it was sent', true, signal.reason));
    if (!this.usable || !this.#session.connection.mayOpen)
      return Promise.resolve(failed('the connection takes no more streams', true));
    const fields = requestHeaderList(request);
    if (!fields.every(isFieldValue))
      return Promise.resolve(failed(`the request for ${JSON.stringify(request.authority)} cannot be sent`, false));
    return new Promise((resolve) => new Opening(this.#session, signal, resolve).send(fields));
  }

  drain(): void {
    this.#session.drain({ reason: 'closed', detail: 'drained on this side' });
  }

  destroy(cause?: Error): void {
    this.#session.end({ reason: 'closed', detail: 'ended on this side' }, cause);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.destroy();
    await this.closed;
  }
}

/**
 * A request until its answer.
 *
 *   sent ── 200 ──▶ open: a FramedStream hears of the rest
 *   sent ── any other status ──▶ refused, RST_STREAM CANCEL sent
 *   sent ── reset | connection lost | given up ──▶ failed
 */
class Opening implements StreamEvents {
  readonly #session: FramedSession;
  readonly #signal: AbortSignal;
  readonly #resolve: (response: ConnectResponse) => void;
  #stream: Http2Stream | undefined;

  constructor(session: FramedSession, signal: AbortSignal, resolve: (response: ConnectResponse) => void) {
    this.#session = session;
    this.#signal = signal;
    this.#resolve = resolve;
  }

  send(fields: readonly string[]): void {
    this.#session.streamOpened();
    this.#stream = this.#session.connection.open(fields, this);
    this.#signal.addEventListener('abort', this.#recvAbort, { once: true });
  }

  recvHeaders(fields: readonly string[]): void {
    const status = Number(fields[1]);
    if (status !== 200) return this.#settle({ kind: 'refused', status });
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#signal.removeEventListener('abort', this.#recvAbort);
    const { connection, clock, readBuffer, gathered, streamClosed } = this.#session;
    const tunnel = new FramedStream(stream, { connection, clock, readBuffer, gathered, onClose: streamClosed });
    stream.events = tunnel;
    const { baggage } = connectHeadersIn(fields);
    this.#resolve({ kind: 'open', stream: tunnel, ...(baggage === undefined ? {} : { baggage }) });
  }

  /** DATA before an answer resets its stream: none comes here. */
  recvData(): void {}

  /** An end without an answer is none either. */
  recvEnd(): void {}

  /** RFC 9113 section 8.7: REFUSED_STREAM says that nothing was done; so does a last stream id below this one. */
  recvReset(code: number): void {
    const message = `the peer reset the request before an answer (${errorCodeName(code)})`;
    this.#settle(failed(message, code === errorCode.REFUSED_STREAM));
  }

  recvCapacity(): void {}

  recvLost(cause?: Error): void {
    this.#settle(failed('the connection ended before an answer', false, cause));
  }

  readonly #recvAbort = (): void => this.#settle(failed('given up before it was answered', false, this.#signal.reason));

  #settle(response: ConnectResponse): void {
    this.#signal.removeEventListener('abort', this.#recvAbort);
    if (this.#stream !== undefined) this.#session.connection.reset(this.#stream, errorCode.CANCEL);
    this.#resolve(response);
    this.#session.streamClosed();
  }
}

function failed(message: string, unprocessed: boolean, cause?: unknown): ConnectResponse {
  return { kind: 'failed', error: new MeshError('MESH-HBONE-004', { message, cause }), unprocessed };
}

function ignore(): void {}
