import { constants } from 'node:http2';
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Clock } from '../lifecycle/clock.ts';
import { connectHeadersOf } from './connect-headers.ts';
import type { ConnectHeaders, EngineSettings, IncomingConnect, RefusalStatus, ServerSession, SessionEnd } from './engine.ts';
import { SessionLife } from './node-http2-session.ts';
import { adoptStream } from './node-http2-stream.ts';

export class NodeHttp2ServerSession implements ServerSession {
  readonly #session: ServerHttp2Session;
  readonly #life: SessionLife;

  constructor(
    session: ServerHttp2Session,
    transport: Duplex,
    settings: EngineSettings,
    deps: { readonly clock: Clock; readonly onConnect: (incoming: IncomingConnect) => void },
  ) {
    this.#session = session;
    this.#life = new SessionLife(session, transport, settings, 'request', deps);
    session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      // One that crossed our GOAWAY is above the last id that named, and the client takes it for refused.
      // Closing it with a code makes Node emit an error, as if the peer had reset it.
      if (!this.#life.serving) return stream.on('error', ignore).close(constants.NGHTTP2_REFUSED_STREAM);
      this.#life.firstFramesArrived();
      this.#life.streamOpened(stream);
      adoptStream(stream);
      deps.onConnect(new NodeHttp2Incoming(stream, headers));
    });
  }

  get activeStreams(): number {
    return this.#life.activeStreams;
  }

  get closed(): Promise<SessionEnd> {
    return this.#life.closed;
  }

  drain(): void {
    if (this.#life.serving) this.#session.goaway();
    this.#life.drain({ reason: 'closed', detail: 'drained on this side' });
  }

  destroy(cause?: Error): void {
    this.#life.end({ reason: 'closed', detail: 'ended on this side' }, cause);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.destroy();
    await this.closed;
  }
}

function ignore(): void {}

const peerGone = new Error('the stream is over');

class NodeHttp2Incoming implements IncomingConnect {
  readonly method: string;
  readonly authority: string;
  readonly headers: ConnectHeaders;
  readonly #stream: ServerHttp2Stream;
  readonly #gone = new AbortController();
  #answered = false;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.method = headers[':method'] ?? '';
    this.authority = headers[':authority'] ?? '';
    this.headers = connectHeadersOf(headers);
    this.#stream = stream;
    stream.once('aborted', this.#recvGone).once('close', this.#recvGone);
    if (stream.closed || stream.destroyed) this.#recvGone();
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  accept(headers: { readonly baggage?: string }): Duplex {
    this.#answer(['baggage', headers.baggage], 200, false);
    // Node resets a server's stream that finished writing before anybody looked at its input (N1): this looks.
    this.#stream.read(0);
    return this.#stream;
  }

  refuse(status: RefusalStatus): void {
    // Giving up on a request that was accepted meanwhile is the caller's race, and nobody's fault.
    if (this.#answered) return;
    this.#answer([], status, true);
    // Whatever the client still sends has no reader; the stream ends when the client ends it, or resets it.
    this.#stream.resume();
  }

  #answer([name, value]: readonly [string, string | undefined] | readonly [], status: number, endStream: boolean): void {
    if (this.#answered) throw new TypeError(`the request for ${this.authority} was answered already`);
    this.#answered = true;
    if (this.#stream.closed || this.#stream.destroyed) return;
    const optional = name === undefined || value === undefined ? [] : [name, value];
    // Upstream sends no date, and a field that differs in each response would never come from the header table.
    const options = { endStream, sendDate: false };
    this.#stream.respond([':status', String(status), ...optional], options);
  }

  readonly #recvGone = (): void => {
    // With a reason, since making up one (a DOMException with its stack) took 1 % of a new connection.
    this.#gone.abort(peerGone);
    // Nobody will read what came before the reset.
    if (!this.#answered) process.nextTick(() => this.#stream.destroy());
  };
}
