import { constants } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, IncomingHttpStatusHeader } from 'node:http2';
import type { Duplex } from 'node:stream';
import { errorCodeName } from '../http2/error-code.ts';
import type { Clock } from '../lifecycle/clock.ts';
import { MeshError } from '../observe/mesh-error.ts';
import type { ClientSession, ConnectRequest, ConnectResponse, EngineSettings, SessionEnd } from './engine.ts';
import { connectHeadersOf, requestHeaderList } from './connect-headers.ts';
import { SessionLife } from './node-http2-session.ts';
import { adoptStream } from './node-http2-stream.ts';

type ResponseHeaders = IncomingHttpHeaders & IncomingHttpStatusHeader;

export class NodeHttp2ClientSession implements ClientSession {
  readonly #session: ClientHttp2Session;
  readonly #life: SessionLife;
  #peerMaxStreams = Infinity;

  constructor(session: ClientHttp2Session, transport: Duplex, settings: EngineSettings, deps: { readonly clock: Clock }) {
    this.#session = session;
    this.#life = new SessionLife(session, transport, settings, 'SETTINGS', deps);
    session.on('remoteSettings', (remote) => {
      this.#life.firstFramesArrived();
      this.#peerMaxStreams = remote.maxConcurrentStreams ?? Infinity;
    });
  }

  get activeStreams(): number {
    return this.#life.activeStreams;
  }

  get peerMaxStreams(): number {
    return this.#peerMaxStreams;
  }

  get usable(): boolean {
    return this.#life.serving;
  }

  get peerDraining(): Promise<void> {
    return this.#life.peerDraining;
  }

  get closed(): Promise<SessionEnd> {
    return this.#life.closed;
  }

  open(request: ConnectRequest, signal: AbortSignal): Promise<ConnectResponse> {
    if (signal.aborted) return Promise.resolve(failed('given up before it was sent', true, signal.reason));
    if (!this.usable) return Promise.resolve(failed('the connection takes no more streams', true));
    let stream: ClientHttp2Stream;
    try {
      stream = this.#session.request(requestHeaderList(request), { endStream: false });
    } catch (error) {
      // Node checks names and values before anything is sent.
      return Promise.resolve(failed(`the request for ${JSON.stringify(request.authority)} cannot be sent`, false, error));
    }
    adoptStream(stream);
    this.#life.streamOpened(stream);
    return awaitResponse(stream, signal);
  }

  drain(): void {
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

function awaitResponse(stream: ClientHttp2Stream, signal: AbortSignal): Promise<ConnectResponse> {
  return new Promise((resolve) => {
    const settle = (response: ConnectResponse): void => {
      signal.removeEventListener('abort', onAbort);
      stream.off('response', onResponse).off('aborted', onReset).off('close', onClose);
      resolve(response);
      if (response.kind !== 'open') stream.destroy();
    };
    const onResponse = (headers: ResponseHeaders): void => settle(responseOf(stream, headers));
    const onClose = (): void => settle(resetResponse(stream));
    // A reset may come in the same read as the response, whose event Node has queued before this one.
    const onReset = (): void => process.nextTick(onClose);
    const onAbort = (): void => settle(failed('given up before it was answered', false, signal.reason));
    stream.once('response', onResponse).once('aborted', onReset).once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

function responseOf(stream: ClientHttp2Stream, headers: ResponseHeaders): ConnectResponse {
  const status = headers[':status'] ?? 0;
  if (status !== constants.HTTP_STATUS_OK) return { kind: 'refused', status };
  const { baggage } = connectHeadersOf(headers);
  return { kind: 'open', stream, ...(baggage === undefined ? {} : { baggage }) };
}

/** RFC 9113 section 8.7: REFUSED_STREAM says that nothing was done; nghttp2 gives it to streams above a GOAWAY's last id too. */
function resetResponse(stream: ClientHttp2Stream): ConnectResponse {
  const code = stream.rstCode;
  const unprocessed = code === constants.NGHTTP2_REFUSED_STREAM;
  return failed(`the peer reset the request before an answer (${errorCodeName(code)})`, unprocessed, stream.errored ?? undefined);
}

function failed(message: string, unprocessed: boolean, cause?: unknown): ConnectResponse {
  return { kind: 'failed', error: new MeshError('MESH-HBONE-004', { message, cause }), unprocessed };
}
