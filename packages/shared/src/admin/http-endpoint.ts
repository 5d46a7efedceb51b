/**
 * A small HTTP/1.1 server for people and probes (l4-contract section 11.3): one answer per connection, headers within
 * 2 s and 8 KiB, few connections, no request bodies. It serves operations and never carries mesh traffic.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, OutgoingHttpHeaders, Server, ServerResponse } from 'node:http';
import { parseIp } from '../model/ip-address.ts';
import type { SocketAddress } from '../model/ip-address.ts';
import type { Logger } from '../observe/log.ts';
import { MeshError } from '../observe/mesh-error.ts';

export type HttpRequest = { readonly method: string; readonly url: URL; readonly headers: IncomingMessage['headers'] };

export type HttpAnswer = { readonly status: number; readonly headers?: OutgoingHttpHeaders; readonly body: string | Uint8Array };

/** Answers one request; what it throws is answered with 500. */
export type HttpHandler = (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>;

/** Handlers by path. */
export type HttpRoutes = Readonly<Record<string, HttpHandler>>;

export type HttpEndpointOptions = {
  /** What it is for, in messages. */
  readonly name: string;
  /** Addresses tried one by one; the first must work, the others are left out where the kernel has no such family. */
  readonly ips: readonly string[];
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** Connections at a time. @default 64 */
  readonly maxConnections?: number;
  /** Milliseconds in which an answer must have been read. @default 10 000 */
  readonly answerTimeoutMs?: number;
};

const headersTimeoutMs = 2_000;
const requestTimeoutMs = 5_000;
const maxHeaderBytes = 8 * 1024;

export class HttpEndpoint implements AsyncDisposable {
  readonly #options: HttpEndpointOptions;
  readonly #routes: HttpRoutes;
  readonly #logger: Logger;
  readonly #servers: Server[] = [];

  private constructor(options: HttpEndpointOptions, routes: HttpRoutes, deps: { readonly logger: Logger }) {
    this.#options = options;
    this.#routes = routes;
    this.#logger = deps.logger;
  }

  /** Listens on every address, or fails with MESH-CONFIG-003 when the first cannot be bound. */
  static async listen(
    options: HttpEndpointOptions,
    routes: HttpRoutes,
    deps: { readonly logger: Logger },
  ): Promise<HttpEndpoint> {
    const endpoint = new HttpEndpoint(options, routes, deps);
    for (const ip of options.ips) await endpoint.#bind(ip);
    return endpoint;
  }

  /** Where it listens; the port is the real one. */
  get addresses(): readonly SocketAddress[] {
    return this.#servers.flatMap((server) => {
      const address = server.address();
      if (address === null || typeof address === 'string') return [];
      const ip = parseIp(address.address);
      return ip === undefined ? [] : [{ ip, port: address.port }];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#servers.splice(0).map((server) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        server.close(() => resolve());
        server.closeAllConnections();
        return promise;
      }),
    );
  }

  async #bind(ip: string): Promise<void> {
    const server = this.#server();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // The second address takes the port that the first was given.
    server.once('error', reject).listen({ host: ip, port: this.addresses[0]?.port ?? this.#options.port }, resolve);
    try {
      await promise;
      server
        .off('error', reject)
        .on('error', (error) => this.#logger.error(`${this.#options.name} server failed`, { error: error.message }));
      this.#servers.push(server);
    } catch (error) {
      if (this.#servers.length > 0 && isMissingFamily(error)) return;
      await this[Symbol.asyncDispose]();
      throw new MeshError('MESH-CONFIG-003', {
        message: `the ${this.#options.name} server cannot listen on ${ip} port ${this.#options.port}: ${error instanceof Error ? error.message : String(error)}`,
        hint: 'Another process may use the port.',
        cause: error,
      });
    }
  }

  #server(): Server {
    const server = createServer({
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: 500,
      maxHeaderSize: maxHeaderBytes,
      keepAlive: false,
    });
    server.maxConnections = this.#options.maxConnections ?? 64;
    server.on('request', (request, response) => void this.#recvRequest(request, response));
    server.on('clientError', (_error, socket) => void socket.destroy());
    return server;
  }

  async #recvRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A body is never needed. What does not fit in the socket's buffers is cut off with the connection.
    request.on('error', () => {});
    response.on('error', () => {});
    const answer = await this.#answer(request);
    // Whoever asks and does not read would keep the answer, and one of few places.
    const late = setTimeout(() => response.destroy(), this.#options.answerTimeoutMs ?? 10_000);
    response.once('close', () => clearTimeout(late));
    const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body;
    const headers = { 'content-type': 'text/plain', connection: 'close', 'content-length': body.length, ...answer.headers };
    response.writeHead(answer.status, headers).end(request.method === 'HEAD' ? undefined : body);
  }

  async #answer({ method = 'GET', url = '/', headers }: IncomingMessage): Promise<HttpAnswer> {
    const parsed = URL.parse(url, 'http://proxy');
    const handler = parsed === null || !Object.hasOwn(this.#routes, parsed.pathname) ? undefined : this.#routes[parsed.pathname];
    if (parsed === null || handler === undefined) return { status: 404, body: '' };
    try {
      return await handler({ method, url: parsed, headers });
    } catch (error) {
      this.#logger.error(`${this.#options.name}: ${method} ${parsed.pathname} failed [MESH-INTERNAL-001]`, {
        error: String(error),
      });
      return { status: 500, body: 'the answer could not be made; see the log\n' };
    }
  }
}

/** Kernels without IPv6 have neither :: nor ::1 (design: start must survive that). */
function isMissingFamily(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT');
}
