/**
 * What both roles share: the life of one node:http2 session and the guards on its peer.
 *
 *   serving ── drain() ──────────▶ draining: closed ─────────┐
 *   serving ── GOAWAY NO_ERROR ──▶ draining: peer-goaway ────┤ last stream ended
 *   serving | draining ── destroy() | fault ──▶ ending ◀─────┘
 *   any ── transport closed ──▶ closed
 *
 * L1  `ending` lasts at most `lingerMs`; then the transport is destroyed, whatever the peer does.
 * L2  Each timer belongs to one state or guard and is cancelled when it ends; `closed` holds none.
 */
import { constants } from 'node:http2';
import type { Http2Session, Http2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { errorCodeName } from '../http2/error-code.ts';
import type { Cancel, Clock } from '../lifecycle/clock.ts';
import type { EngineSettings, SessionEnd } from './engine.ts';
import { FrameAllowance } from './frame-allowance.ts';
import { Keepalive } from './keepalive.ts';
import { sessionEndOf } from './session-end.ts';

/** How long a closing connection may take to say good-bye, milliseconds. */
const lingerMs = 2_000;

type State =
  | { readonly kind: 'serving' }
  | { readonly kind: 'draining'; readonly end: SessionEnd }
  | { readonly kind: 'ending'; readonly end: SessionEnd; readonly cancelLinger: Cancel }
  | { readonly kind: 'closed' };

export class SessionLife {
  readonly #session: Http2Session;
  readonly #transport: Duplex;
  readonly #clock: Clock;
  readonly #keepalive: Keepalive;
  readonly #allowance: FrameAllowance;
  readonly #closed = Promise.withResolvers<SessionEnd>();
  readonly #peerDraining = Promise.withResolvers<void>();
  readonly #cancelFirstFrames: Cancel;
  #state: State = { kind: 'serving' };
  #active = 0;

  /** @param awaited what the peer must send first; `firstFramesArrived` says that it did */
  constructor(
    session: Http2Session,
    transport: Duplex,
    settings: EngineSettings,
    awaited: string,
    deps: { readonly clock: Clock },
  ) {
    this.#session = session;
    this.#transport = transport;
    this.#clock = deps.clock;
    this.#allowance = new FrameAllowance({}, deps);
    this.#keepalive = new Keepalive(
      { intervalMs: settings.pingIntervalMs, timeoutMs: settings.pingTimeoutMs },
      {
        clock: deps.clock,
        ping: () => this.#ping(),
        onTimeout: () => this.end({ reason: 'ping-timeout', detail: `no answer within ${settings.pingTimeoutMs} ms` }),
      },
    );
    this.#cancelFirstFrames = deps.clock.after(settings.firstFramesMs, () => {
      this.end({ reason: 'slow-peer', detail: `no ${awaited} within ${settings.firstFramesMs} ms` });
    });
    this.#listen();
  }

  /** Resolves when the transport is gone. */
  get closed(): Promise<SessionEnd> {
    return this.#closed.promise;
  }

  get peerDraining(): Promise<void> {
    return this.#peerDraining.promise;
  }

  get activeStreams(): number {
    return this.#active;
  }

  /** True while streams may be opened. */
  get serving(): boolean {
    return this.#state.kind === 'serving' && !this.#session.closed && !this.#session.destroyed;
  }

  /** Counts a stream until it closes. */
  streamOpened(stream: Http2Stream): void {
    this.#active += 1;
    stream.once('close', () => {
      this.#active -= 1;
      if (this.#state.kind === 'draining') this.#endWhenIdle(this.#state.end);
    });
  }

  firstFramesArrived(): void {
    this.#cancelFirstFrames();
  }

  /** No new streams; ends when the last one closes. */
  drain(end: SessionEnd): void {
    if (this.#state.kind !== 'serving') return;
    this.#state = { kind: 'draining', end };
    this.#endWhenIdle(end);
  }

  /**
   * Ends everything; the first reason counts. Node's destroy() closes the transport before nghttp2 has written its GOAWAY, so
   * that goes ahead by a turn of the loop.
   */
  end(end: SessionEnd, cause?: Error): void {
    this.#enterEnding(end);
    if (this.#session.destroyed) return;
    this.#session.goaway();
    setImmediate(() => this.#session.destroy(cause));
  }

  #endWhenIdle(end: SessionEnd): void {
    if (this.#active > 0) return;
    this.#enterEnding(end);
    this.#session.close();
  }

  #enterEnding(end: SessionEnd): void {
    if (this.#state.kind === 'ending' || this.#state.kind === 'closed') return;
    this.#state = { kind: 'ending', end, cancelLinger: this.#clock.after(lingerMs, () => this.#transport.destroy()) };
  }

  #listen(): void {
    this.#session.on('goaway', (code) => this.#recvGoaway(code));
    this.#session.on('error', (error) => this.#enterEnding(sessionEndOf(error)));
    this.#session.on('ping', () => this.#recvControlFrame());
    this.#session.on('remoteSettings', () => this.#recvControlFrame());
    this.#session.once('close', () => this.#recvClose());
    this.#transport.on('error', (error: Error) => this.#recvTransportError(error));
    // Should the session not say so itself.
    this.#transport.once('close', () => setImmediate(() => this.#recvClose()));
  }

  /**
   * Node destroys the session on this, and then waits for writes that a broken TLS socket never completes: neither `error`
   * nor `close` would come. There is nothing left to say on this transport anyway.
   */
  #recvTransportError(error: Error): void {
    this.#enterEnding(sessionEndOf(error));
    this.#transport.destroy();
  }

  /**
   * On any code but NO_ERROR Node destroys the session after this. On NO_ERROR it would close it, and a closed session sends
   * no pings: the streams that go on would never learn that the peer is gone. That one call is swallowed; `drain` closes.
   */
  #recvGoaway(code: number): void {
    const detail = `GOAWAY ${errorCodeName(code)}`;
    if (code !== constants.NGHTTP2_NO_ERROR) return this.#enterEnding({ reason: 'peer-error', detail });
    this.#peerDraining.resolve();
    const session = this.#session;
    const close = session.close.bind(session);
    session.close = () => {
      session.close = close;
    };
    process.nextTick(() => {
      session.close = close;
      this.drain({ reason: 'peer-goaway', detail });
    });
  }

  #recvControlFrame(): void {
    if (!this.#allowance.take()) this.end({ reason: 'flood', detail: 'too many PING or SETTINGS frames' });
  }

  #recvClose(): void {
    const state = this.#state;
    if (state.kind === 'closed') return;
    if (state.kind === 'ending') state.cancelLinger();
    this.#state = { kind: 'closed' };
    this.#keepalive.stop();
    this.#cancelFirstFrames();
    this.#closed.resolve(state.kind === 'serving' ? { reason: 'connection-lost', detail: 'the peer closed it' } : state.end);
  }

  #ping(): void {
    if (this.#session.destroyed) return;
    this.#session.ping((error) => {
      if (error === null) this.#keepalive.recvPong();
    });
  }
}
