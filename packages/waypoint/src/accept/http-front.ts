/**
 * The inner HTTP of tunnel streams: fastify with @fastify/http-proxy as its catch-all, over node:http and node:http2.
 *
 * F1  The servers never listen: connections are tunnel streams, and each request knows its {@link Conversation}.
 * F2  No body is parsed or kept: http-proxy's preHandler gives the raw request to `onRequest`, which answers it. A request
 *     without a body may have ended by then.
 * F3  What the parsers refuse (request smuggling, oversized heads) is answered by them and reported to `onRefused`.
 * F4  An upgrade to HTTP/2 is not made, and the request served as it is (RFC 9110 section 7.8 lets a server ignore it, RFC
 *     9113 section 3.1 took it away): Node would hold its body for the first bytes of the other protocol. The same goes for
 *     any other upgrade with a body.
 */
import http from 'node:http';
import { constants } from 'node:http2';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2Server, Http2ServerRequest, Http2ServerResponse, ServerHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';
import httpProxy from '@fastify/http-proxy';
import Fastify from 'fastify';
import type { FastifyHttp2Options, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Conversation } from './conversation.ts';

export type RawRequest = IncomingMessage | Http2ServerRequest;
export type RawResponse = ServerResponse | Http2ServerResponse;

/** In a GOAWAY: none is refused yet. */
const lastPossibleStream = 2 ** 31 - 1;

/** `:method`, `:scheme`, `:authority`, `:path`. */
const pseudoFields = 4;

export type HttpFrontOptions = {
  /** Bytes of a request's head. @default 32 KiB */
  readonly maxHeaderBytes?: number;
  /** Fields of a request's head. @default 200 */
  readonly maxHeaderFields?: number;
  /** Time for a request's head, milliseconds. @default 10 000 */
  readonly headMs?: number;
  /** Streams of one HTTP/2 connection. @default 200 */
  readonly maxStreams?: number;
};

export type HttpFrontDeps = {
  /** Answers a request; never rejects. */
  readonly onRequest: (request: RawRequest, response: RawResponse, conversation: Conversation) => void;
  /** Takes over a stream after a request to upgrade it. */
  readonly onUpgrade: (request: IncomingMessage, stream: Duplex, head: Buffer, conversation: Conversation) => void;
  /** A head that is no HTTP, or not to be trusted. */
  readonly onRefused: (conversation: Conversation | undefined, reason: string) => void;
};

export class HttpFront implements AsyncDisposable {
  readonly #deps: HttpFrontDeps;
  readonly #conversations = new WeakMap<object, Conversation>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #http1: FastifyInstance;
  readonly #http2: FastifyInstance<Http2Server>;
  /** The stream that is being given to the HTTP/2 server; its session is announced before the call returns. */
  #arriving: Conversation | undefined;

  private constructor(http1: FastifyInstance, http2: FastifyInstance<Http2Server>, deps: HttpFrontDeps) {
    this.#http1 = http1;
    this.#http2 = http2;
    this.#deps = deps;
  }

  static async open(options: HttpFrontOptions, deps: HttpFrontDeps): Promise<HttpFront> {
    const { maxHeaderBytes = 32 * 1024, headMs = 10_000, maxHeaderFields = 200, maxStreams = 200 } = options;
    // What the router refuses to read comes to the handler all the same: there is one place that refuses.
    const frameworkErrors = (_error: Error, request: FastifyRequest, reply: FastifyReply): void => front.#take(request, reply);
    const common = { exposeHeadRoutes: false, forceCloseConnections: true, frameworkErrors: frameworkErrors as never } as const;
    const http1 = Fastify({
      ...common,
      http: {
        maxHeaderSize: maxHeaderBytes,
        insecureHTTPParser: false,
        // Most requests have no body; a stream that says so takes several turns.
        optimizeEmptyRequests: true,
        shouldUpgradeCallback: mayUpgrade,
        headersTimeout: headMs,
        requestTimeout: 0,
        connectionsCheckingInterval: Math.min(headMs, 1000),
      },
    });
    // `http` has the options of the server, whichever it is; the types know it for HTTP/1.1 only.
    const http2Options = {
      ...common,
      http2: true,
      http2SessionTimeout: 0,
      // A field that stands twice in an answer is its service's affair.
      http: {
        strictSingleValueFields: false,
        maxHeaderListPairs: maxHeaderFields + pseudoFields,
        // The very first frame, so that no request comes before them.
        settings: { maxConcurrentStreams: maxStreams, maxHeaderListSize: maxHeaderBytes, initialWindowSize: 1024 * 1024 },
      },
    } as const;
    const http2 = Fastify(http2Options as FastifyHttp2Options<Http2Server>);
    const front: HttpFront = new HttpFront(http1, http2, deps);
    front.#http1.server.maxHeadersCount = maxHeaderFields;
    await Promise.all([front.#serve(http1), front.#serve(http2 as unknown as FastifyInstance)]);
    front.#watch();
    return front;
  }

  /** Takes over a tunnel stream that carries HTTP. */
  adopt(stream: Duplex, protocol: 'HTTP/1.1' | 'HTTP/2', conversation: Conversation): void {
    this.#conversations.set(stream, conversation);
    if (protocol === 'HTTP/1.1') return void this.#http1.server.emit('connection', stream);
    this.#arriving = conversation;
    this.#http2.server.emit('connection', stream);
    this.#arriving = undefined;
  }

  /** Asks callers of HTTP/2 to come again on another connection; requests that crossed the word are served (RFC 9113 section 6.8). */
  drain(): void {
    for (const session of this.#sessions) session.goaway(constants.NGHTTP2_NO_ERROR, lastPossibleStream);
  }

  /** Ends connections at rest, and takes no further stream on the others. */
  closeIdle(): void {
    for (const session of this.#sessions) if (!session.closed) session.close();
    this.#http1.server.closeIdleConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#http1.close(), this.#http2.close()]);
  }

  async #serve(app: FastifyInstance): Promise<void> {
    for (const method of methods) app.addHttpMethod(method, { hasBody: false, overrideExisting: true });
    // Before the plugin, which inherits them.
    app.setNotFoundHandler((request, reply) => this.#take(request, reply));
    app.setErrorHandler((_error, request, reply) => this.#take(request, reply));
    await app.register(httpProxy, {
      // Never dialled: ours forwards, and takes the request before the plugin works out addresses for it.
      upstream: 'http://service.invalid',
      httpMethods: methods,
      proxyPayloads: false,
      retryMethods: [],
      preHandler: (request, reply, _done) => this.#take(request, reply),
    });
    await app.ready();
  }

  #take({ raw: request }: FastifyRequest, reply: FastifyReply): void {
    reply.hijack();
    const response = reply.raw;
    const conversation = this.#conversationOf(request);
    if (conversation === undefined) return void response.destroy();
    this.#deps.onRequest(request, response, conversation);
  }

  #conversationOf(request: RawRequest): Conversation | undefined {
    const carrier = 'stream' in request ? request.stream.session : request.socket;
    return carrier === undefined || carrier === null ? undefined : this.#conversations.get(carrier);
  }

  #watch(): void {
    const http1 = this.#http1.server;
    http1.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
      const conversation = this.#conversations.get(stream);
      if (conversation === undefined) stream.destroy();
      else this.#deps.onUpgrade(request, stream, head, conversation);
    });
    http1.removeAllListeners('clientError');
    http1.on('clientError', (error: NodeJS.ErrnoException, stream: Duplex) => {
      this.#deps.onRefused(this.#conversations.get(stream), `${error.code ?? 'error'}: ${error.message}`);
      refuse(stream, error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request');
    });
    // Only a listening server watches for slow heads; this one listens nowhere.
    http1.emit('listening');
    const http2 = this.#http2.server;
    http2.on('session', (session: ServerHttp2Session) => {
      if (this.#arriving !== undefined) this.#conversations.set(session, this.#arriving);
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
    });
    http2.on('sessionError', (error: Error, session: ServerHttp2Session) =>
      this.#deps.onRefused(this.#conversations.get(session), error.message),
    );
  }
}

/** CONNECT has no place inside a tunnel: node:http closes it, and HTTP/2 answers it as any other unknown route. */
const methods = http.METHODS.filter((method) => method !== 'CONNECT') as never[];

/** F4. */
function mayUpgrade({ headers }: IncomingMessage): boolean {
  const { upgrade, 'content-length': length, 'transfer-encoding': coding } = headers;
  const hasBody = coding !== undefined || (length !== undefined && length !== '0');
  return upgrade !== undefined && !hasBody && !/\bh2c?\b/i.test(upgrade);
}

function refuse(stream: Duplex, status: string): void {
  if (stream.writable) stream.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  else stream.destroy();
}
