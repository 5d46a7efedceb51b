/**
 * One HTTP/2 connection for gRPC over TLS, given to connect-node in place of its own session manager: that one
 * leaves the session without an error listener for a moment after it connects, in which garbage from the peer would
 * end the process (an unhandled 'error' event). Here every emitter has a listener from its first moment to its last.
 *
 *   open ── TLS, HTTP/2 ──▶ ready ── loss, keepalive, dispose ──▶ gone
 */
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import { Code, ConnectError } from '@connectrpc/connect';
import type { Cancel, Clock } from '../lifecycle/clock.ts';
import { connectControlPlane } from '../tls/control-plane-socket.ts';
import type { ControlPlaneAddress } from '../tls/control-plane-socket.ts';

export type GrpcSessionOptions = ControlPlaneAddress & {
  /** PEM roots. @default those of the system */
  readonly root?: string | undefined;
  /** Time for TCP, TLS and HTTP/2 together, milliseconds. @default 5 000 */
  readonly connectTimeoutMs?: number;
  /** Silence after which the peer is pinged, milliseconds. @default 30 000 */
  readonly pingIntervalMs?: number;
  /** Time to answer a ping, milliseconds. @default 10 000 */
  readonly pingTimeoutMs?: number;
};

const tcpKeepaliveMs = 300_000;

export class GrpcSession implements Disposable {
  /** The origin it is connected to. */
  readonly authority: string;
  readonly #session: ClientHttp2Session;
  readonly #clock: Clock;
  readonly #pingIntervalMs: number;
  readonly #pingTimeoutMs: number;
  #cancelPing: Cancel = () => {};
  #lastHeardMs: number;

  private constructor(session: ClientHttp2Session, options: GrpcSessionOptions, clock: Clock) {
    this.authority = new URL(options.url).origin;
    this.#session = session;
    this.#clock = clock;
    this.#pingIntervalMs = options.pingIntervalMs ?? 30_000;
    this.#pingTimeoutMs = options.pingTimeoutMs ?? 10_000;
    this.#lastHeardMs = clock.monotonicMs();
    session.once('close', () => this.#cancelPing());
    this.#watch(this.#pingIntervalMs);
  }

  /** A connection that is ready for requests; rejects with the cause, or with the signal's reason. */
  static async open(options: GrpcSessionOptions, deps: { readonly clock: Clock }, signal: AbortSignal): Promise<GrpcSession> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = connectControlPlane(options, options.root).setKeepAlive(true, tcpKeepaliveMs);
    const session = connectHttp2(options.url, { createConnection: () => socket, settings: { enablePush: false } });
    session.on('error', reject);
    session.once('close', () => reject(new Error('the connection was closed')));
    session.once('connect', () => resolve());
    const recvAbort = (): void => reject(signal.reason);
    const timeoutMs = options.connectTimeoutMs ?? 5_000;
    const cancel = deps.clock.after(timeoutMs, () => reject(new Error(`no connection within ${timeoutMs} ms`)));
    signal.addEventListener('abort', recvAbort, { once: true });
    try {
      await promise;
      return new GrpcSession(session, options, deps.clock);
    } catch (error) {
      session.destroy();
      socket.destroy();
      throw error;
    } finally {
      cancel();
      signal.removeEventListener('abort', recvAbort);
    }
  }

  /** Called by connect-node: opens one stream. */
  async request(method: string, path: string, headers: OutgoingHttpHeaders, options: object): Promise<ClientHttp2Stream> {
    if (this.#session.destroyed || this.#session.closed)
      throw new ConnectError(`the connection to ${this.authority} is gone`, Code.Unavailable);
    const stream = this.#session.request({ ...headers, ':method': method, ':path': path }, options);
    // connect-node listens a microtask later; ticks come before that.
    return stream.on('error', () => {});
  }

  /** Called by connect-node: bytes came, so the peer is alive. */
  notifyResponseByteRead(): void {
    this.#lastHeardMs = this.#clock.monotonicMs();
  }

  /** Ends the connection and its streams at once. */
  [Symbol.dispose](): void {
    this.#cancelPing();
    this.#session.destroy();
  }

  #watch(delayMs: number): void {
    this.#cancelPing = this.#clock.after(delayMs, () => {
      const silentMs = this.#clock.monotonicMs() - this.#lastHeardMs;
      if (silentMs < this.#pingIntervalMs) this.#watch(this.#pingIntervalMs - silentMs);
      else this.#ping();
    });
  }

  #ping(): void {
    if (this.#session.destroyed) return;
    this.#cancelPing = this.#clock.after(this.#pingTimeoutMs, () => {
      this.#session.destroy(new Error(`no answer to a ping within ${this.#pingTimeoutMs} ms`));
    });
    this.#session.ping((error) => {
      this.#cancelPing();
      if (error !== null || this.#session.destroyed) return;
      this.notifyResponseByteRead();
      this.#watch(this.#pingIntervalMs);
    });
  }
}
