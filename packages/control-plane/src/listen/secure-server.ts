/**
 * The one TLS port of the control plane: HTTP/2 only, TLS 1.3, server certificate of the mesh's own root.
 *
 *   listening ── drain: GOAWAY, streams may finish ──▶ draining ── dispose: what is left is cut ──▶ closed
 */
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { Http2SecureServer, ServerHttp2Session } from 'node:http2';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Logger } from '@clearmesh/shared/observe/log';
import { boundAddress } from './bound-address.ts';
import type { GrpcHandler } from './grpc-handler.ts';
import type { ServerCredentials } from '../certify/server-certificate.ts';

export type SecureServerOptions = {
  readonly listen: SocketAddress;
  /** @default 10 000 */
  readonly maxConnections?: number;
  /** Streams of one connection at a time. @default 100 */
  readonly maxConcurrentStreams?: number;
  /** Milliseconds between pings that find peers which vanished without a word. @default 30 000 */
  readonly pingIntervalMs?: number;
  /** Milliseconds from the handshake to the first whole request. @default 10 000 */
  readonly firstRequestMs?: number;
  /** Milliseconds that a connection may be without a stream afterwards. @default 60 000 */
  readonly idleMs?: number;
};

type Deps = {
  readonly credentials: ServerCredentials;
  readonly handler: GrpcHandler;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** Milliseconds for a TLS handshake. */
const handshakeMs = 10_000;

export class SecureServer implements AsyncDisposable {
  readonly #server: Http2SecureServer;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #clock: Clock;
  readonly #pingIntervalMs: number;
  readonly #firstRequestMs: number;
  readonly #idleMs: number;
  readonly address: SocketAddress;

  private constructor(server: Http2SecureServer, options: SecureServerOptions, deps: Deps) {
    this.#server = server;
    this.#clock = deps.clock;
    this.#pingIntervalMs = options.pingIntervalMs ?? 30_000;
    this.#firstRequestMs = options.firstRequestMs ?? 10_000;
    this.#idleMs = options.idleMs ?? 60_000;
    this.address = boundAddress(server);
    server.on('session', (session) => this.#recvSession(session));
    server.on('request', deps.handler);
    server.on('sessionError', (error) => deps.logger.debug('a session failed', { error: textOf(error) }));
    server.on('tlsClientError', (error) => deps.logger.debug('a handshake failed', { error: error.message }));
    server.on('error', (error) => deps.logger.error('the server failed', { error: error.message }));
  }

  /** MESH-CONFIG-003 when the address cannot be listened on. */
  static async listen(options: SecureServerOptions, deps: Deps, signal: AbortSignal): Promise<SecureServer> {
    const server = createSecureServer({
      ...deps.credentials,
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['h2'],
      allowHTTP1: false,
      handshakeTimeout: handshakeMs,
      settings: { maxConcurrentStreams: options.maxConcurrentStreams ?? 100, enablePush: false },
      // Megabytes: an answer with the whole mesh waits here while a slow client reads it.
      maxSessionMemory: 64,
    });
    server.maxConnections = options.maxConnections ?? 10_000;
    try {
      server.listen(options.listen.port, options.listen.ip);
      await once(server, 'listening', { signal });
    } catch (error) {
      server.close();
      throw new MeshError('MESH-CONFIG-003', {
        message: `--listen: ${formatSocketAddress(options.listen)}: ${textOf(error)}`,
        hint: 'Name an address of this machine and a port that is free.',
        cause: error,
      });
    }
    return new SecureServer(server, options, deps);
  }

  /** New connections get this certificate. */
  renew(credentials: ServerCredentials): void {
    this.#server.setSecureContext({ ...credentials, minVersion: 'TLSv1.3' });
  }

  /** Accepts nothing more; resolves when every connection ended by itself. */
  async drain(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    for (const session of this.#sessions) session.close();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const drained = this.drain();
    const gone = [...this.#sessions].map(
      (session) => new Promise<void>((resolve) => void session.once('close', () => resolve())),
    );
    for (const session of this.#sessions) session.destroy();
    await Promise.all([drained, ...gone]);
  }

  #recvSession(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    const cancelPing = this.#ping(session);
    const cancelIdle = this.#endIdle(session);
    session.once('close', () => {
      cancelPing();
      cancelIdle();
      this.#sessions.delete(session);
    });
    // A reset connection is an end like any other.
    session.on('error', () => session.destroy());
  }

  /** A token comes with a request: until then, and without one, a peer could hold a connection by answering pings. */
  #endIdle(session: ServerHttp2Session): () => void {
    const end = (): void => session.destroy();
    let streams = 0;
    let cancel = this.#clock.after(this.#firstRequestMs, end);
    session.on('stream', (stream) => {
      cancel();
      streams += 1;
      stream.once('close', () => {
        streams -= 1;
        if (streams === 0 && !session.destroyed) cancel = this.#clock.after(this.#idleMs, end);
      });
    });
    return () => cancel();
  }

  /** Two intervals without an answer, and the peer counts as gone: its stream would be held for ever. */
  #ping(session: ServerHttp2Session): () => void {
    let answered = true;
    let cancel = (): void => {};
    const next = (): void => {
      cancel = this.#clock.after(this.#pingIntervalMs, () => {
        if (!answered || session.destroyed) return session.destroy();
        answered = false;
        session.ping(() => {
          answered = true;
        });
        next();
      });
    };
    next();
    return () => cancel();
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
