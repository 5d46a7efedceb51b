import type { Duplex } from 'node:stream';
import type { Http2Stream, StreamEvents } from '../http2/stream.ts';
import { connectHeadersIn } from './connect-headers.ts';
import type { ConnectHeaders, EngineSettings, IncomingConnect, RefusalStatus, ServerSession, SessionEnd } from './engine.ts';
import { FramedSession } from './framed-session.ts';
import type { FramedDeps } from './framed-session.ts';
import { FramedStream } from './framed-stream.ts';

export class FramedServerSession implements ServerSession {
  readonly #session: FramedSession;

  constructor(
    transport: Duplex,
    settings: EngineSettings,
    deps: FramedDeps & { readonly onConnect: (incoming: IncomingConnect) => void },
  ) {
    const recvRequest = (stream: Http2Stream, fields: readonly string[]): void => {
      this.#session.firstFramesArrived();
      const incoming = new FramedIncoming(stream, fields, this.#session);
      stream.events = incoming;
      this.#session.streamOpened();
      deps.onConnect(incoming);
    };
    this.#session = new FramedSession('server', transport, settings, { recvRequest, recvSettings: ignore }, deps);
  }

  get activeStreams(): number {
    return this.#session.activeStreams;
  }

  get closed(): Promise<SessionEnd> {
    return this.#session.closed;
  }

  drain(): void {
    if (this.#session.serving) this.#session.connection.goaway();
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

const peerGone = new Error('the stream is over');

/**
 * A request until its stream is somebody's.
 *
 *   waiting ── accept() ──▶ accepted: a FramedStream hears of the rest
 *   waiting ── refuse() ──▶ refused: what still comes is dropped, until the peer ends it or resets it
 *   waiting ── reset, or connection lost ──▶ gone
 */
class FramedIncoming implements IncomingConnect, StreamEvents {
  readonly method: string;
  readonly authority: string;
  readonly headers: ConnectHeaders;
  readonly #stream: Http2Stream;
  readonly #session: FramedSession;
  #state: 'waiting' | 'accepted' | 'refused' | 'gone' = 'waiting';
  #answered = false;
  /** What came before the answer; the stream's window bounds it. */
  readonly #early: Buffer[] = [];
  #endedEarly = false;
  /** Made when somebody asks. */
  #gone: AbortController | undefined;

  constructor(stream: Http2Stream, fields: readonly string[], session: FramedSession) {
    this.method = fieldIn(fields, ':method');
    this.authority = fieldIn(fields, ':authority');
    this.headers = connectHeadersIn(fields);
    this.#stream = stream;
    this.#session = session;
  }

  get gone(): AbortSignal {
    this.#gone ??= new AbortController();
    if (this.#state === 'gone') this.#gone.abort(peerGone);
    return this.#gone.signal;
  }

  accept({ baggage }: { readonly baggage?: string }): Duplex {
    this.#claim();
    const { connection, clock, readBuffer, gathered, streamClosed } = this.#session;
    if (this.#state === 'gone')
      return new FramedStream(this.#stream, { connection, clock, readBuffer, gathered, onClose: ignore }).destroy();
    this.#state = 'accepted';
    const stream = new FramedStream(this.#stream, { connection, clock, readBuffer, gathered, onClose: streamClosed });
    this.#stream.events = stream;
    connection.answer(this.#stream, [':status', '200', ...(baggage === undefined ? [] : ['baggage', baggage])], false);
    for (const bytes of this.#early.splice(0)) stream.recvData(bytes);
    if (this.#endedEarly) stream.recvEnd();
    return stream;
  }

  refuse(status: RefusalStatus): void {
    // Giving up on a request that was accepted meanwhile is the caller's race, and nobody's fault.
    if (this.#answered) return;
    this.#claim();
    if (this.#state === 'gone') return;
    this.#state = 'refused';
    this.#session.connection.answer(this.#stream, [':status', String(status)], true);
    for (const bytes of this.#early.splice(0)) this.recvData(bytes);
    if (this.#endedEarly) this.#recvOver();
  }

  recvHeaders(): void {}

  recvData(bytes: Buffer): void {
    if (this.#state === 'waiting') this.#early.push(Buffer.from(bytes));
    else this.#session.connection.consume(this.#stream, bytes.length);
  }

  recvEnd(): void {
    if (this.#state === 'waiting') this.#endedEarly = true;
    else this.#recvOver();
  }

  recvReset(): void {
    this.#recvOver();
  }

  recvCapacity(): void {}

  recvLost(): void {
    this.#recvOver();
  }

  #claim(): void {
    if (this.#answered) throw new TypeError(`the request for ${this.authority} was answered already`);
    this.#answered = true;
  }

  #recvOver(): void {
    if (this.#state === 'gone') return;
    this.#state = 'gone';
    this.#early.length = 0;
    this.#session.connection.release(this.#stream);
    this.#gone?.abort(peerGone);
    this.#session.streamClosed();
  }
}

function fieldIn(fields: readonly string[], name: string): string {
  const at = fields.indexOf(name);
  return at < 0 ? '' : (fields[at + 1] ?? '');
}

function ignore(): void {}
