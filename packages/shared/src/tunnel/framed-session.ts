/**
 * What both roles of the framed engine share: the life of one connection over its transport, and the guards on its peer.
 *
 *   serving ── drain() ──────────▶ draining: closed ─────────┐
 *   serving ── GOAWAY NO_ERROR ──▶ draining: peer-goaway ────┤ last stream ended
 *   serving | draining ── destroy() | fault ──▶ ending ◀─────┘
 *   any ── transport closed ──▶ closed
 *
 * L1  `ending` lasts at most `lingerMs`; then the transport is destroyed, whatever the peer does.
 * L2  Each timer belongs to one state or guard and is cancelled when it ends; `closed` holds none.
 * L3  One write is under way at a time; what comes meanwhile goes out together after it. A slab is given back once the
 *     transport is done with it.
 * L4  Frames of one turn of the loop go out in one write at its end: streams that speak in the same turn share records and
 *     packets. While one stream speaks alone there is nothing to share, and its frames go at once.
 */
import type { Duplex } from 'node:stream';
import type { Cancel, Clock } from '../lifecycle/clock.ts';
import { Http2Connection } from '../http2/connection.ts';
import type { ConnectionDeps, ConnectionEvents, Violation } from '../http2/connection-parts.ts';
import { errorCode, errorCodeName } from '../http2/error-code.ts';
import type { Slabs } from '../http2/outbox.ts';
import type { Http2Stream } from '../http2/stream.ts';
import type { UnreadBudget } from '../http2/unread-budget.ts';
import { readBorrowed } from '../net/borrowed-reads.ts';
import type { EngineSettings, SessionEnd } from './engine.ts';
import { FrameAllowance } from './frame-allowance.ts';
import type { GatheredWrites } from './gathered-writes.ts';
import { Keepalive } from './keepalive.ts';
import { sessionEndOf } from './session-end.ts';

/** How long a closing connection may take to say good-bye, milliseconds. */
const lingerMs = 2_000;

/** In a tunnel a reset is how an application's connection ends; what is meant is the loop of CVE-2023-44487. */
const resetAllowance = { burst: 5_000, perSecond: 500 };
const uselessAllowance = { burst: 1_000, perSecond: 100 };

/** L4. Writes in a row that were of one stream, after which it counts as alone. */
const alone = 4;

/** Fields of a CONNECT that are new each time. */
const uniqueFields: ReadonlySet<string> = new Set(['forwarded', 'traceparent']);

type State =
  | { readonly kind: 'serving' }
  | { readonly kind: 'draining'; readonly end: SessionEnd }
  | { readonly kind: 'ending'; readonly end: SessionEnd; readonly cancelLinger: Cancel }
  | { readonly kind: 'closed' };

export type FramedDeps = {
  readonly clock: Clock;
  readonly slabs: Slabs;
  readonly gathered: GatheredWrites;
  readonly unread: UnreadBudget;
  /** What transports are read into; connections may share it. */
  readonly readBuffer: Buffer;
};

export type RoleEvents = {
  /** Server only. */
  readonly recvRequest: (stream: Http2Stream, fields: readonly string[]) => void;
  readonly recvSettings: () => void;
};

export class FramedSession {
  readonly connection: Http2Connection;
  /** For reads of whoever feeds a stream; good until what they call returns. */
  readonly readBuffer: Buffer;
  readonly gathered: GatheredWrites;
  readonly #transport: Duplex;
  readonly #clock: Clock;
  readonly #keepalive: Keepalive;
  readonly #closed = Promise.withResolvers<SessionEnd>();
  readonly #peerDraining = Promise.withResolvers<void>();
  readonly #cancelFirstFrames: Cancel;
  #state: State = { kind: 'serving' };
  #active = 0;
  /** L3. */
  #writing: Buffer | undefined;
  /** L4. */
  #scheduled = false;

  constructor(role: 'client' | 'server', transport: Duplex, settings: EngineSettings, events: RoleEvents, deps: FramedDeps) {
    this.#transport = transport;
    this.#clock = deps.clock;
    this.connection = new Http2Connection(
      { role, ...settings, uniqueFields },
      { events: this.#events(events), slabs: deps.slabs, unread: deps.unread, allowances: allowancesOf(deps.clock) },
    );
    this.#keepalive = new Keepalive(
      { intervalMs: settings.pingIntervalMs, timeoutMs: settings.pingTimeoutMs },
      {
        clock: deps.clock,
        ping: () => this.connection.ping(),
        onTimeout: () => this.end({ reason: 'ping-timeout', detail: `no answer within ${settings.pingTimeoutMs} ms` }),
      },
    );
    const awaited = role === 'client' ? 'SETTINGS' : 'request';
    this.#cancelFirstFrames = deps.clock.after(settings.firstFramesMs, () =>
      this.end({ reason: 'slow-peer', detail: `no ${awaited} within ${settings.firstFramesMs} ms` }),
    );
    this.readBuffer = deps.readBuffer;
    this.gathered = deps.gathered;
    this.#listen();
    this.connection.greet();
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
    return this.#state.kind === 'serving' && !this.#transport.destroyed;
  }

  get clock(): Clock {
    return this.#clock;
  }

  /** Counts a stream until `streamClosed`. */
  streamOpened(): void {
    this.#active += 1;
  }

  readonly streamClosed = (): void => {
    this.#active -= 1;
    if (this.#state.kind === 'draining') this.#endWhenIdle(this.#state.end);
  };

  firstFramesArrived(): void {
    this.#cancelFirstFrames();
  }

  /** No new streams; ends when the last one closes. */
  drain(end: SessionEnd): void {
    if (this.#state.kind !== 'serving') return;
    this.#state = { kind: 'draining', end };
    this.#endWhenIdle(end);
  }

  /** Ends everything; the first reason counts. Streams fail with `cause`, if there is one. */
  end(end: SessionEnd, cause?: Error): void {
    if (this.#state.kind === 'ending' || this.#state.kind === 'closed') return;
    this.#state = { kind: 'ending', end, cancelLinger: this.#clock.after(lingerMs, () => this.#transport.destroy()) };
    this.#keepalive.stop();
    this.#cancelFirstFrames();
    this.connection.goodbye();
    this.connection.lose(cause);
    this.#writeLast();
  }

  #endWhenIdle(end: SessionEnd): void {
    if (this.#active === 0) this.end(end);
  }

  #events({ recvRequest, recvSettings }: RoleEvents): ConnectionEvents {
    return {
      recvRequest,
      recvSettings,
      recvPong: () => this.#keepalive.recvPong(),
      recvGoaway: (code) => this.#recvGoaway(code),
      recvViolation: (violation) => this.#recvViolation(violation),
      recvPending: () => this.#schedule(),
    };
  }

  #listen(): void {
    // Not now: the session is not anybody's yet.
    process.nextTick(() => this.#read());
    // Half a connection is none to HTTP/2.
    this.#transport.once('end', () => this.#transport.destroy());
    this.#transport.on('error', (error: Error) => this.#recvTransportError(error));
    this.#transport.once('close', () => this.#recvClose());
  }

  #read(): void {
    const recv = (bytes: Buffer): void => this.connection.recv(bytes);
    if (!this.#transport.destroyed && !readBorrowed(this.#transport, this.readBuffer, recv)) this.#transport.on('data', recv);
  }

  #recvGoaway(code: number): void {
    const detail = `GOAWAY ${errorCodeName(code)}`;
    if (code !== errorCode.NO_ERROR) return this.end({ reason: 'peer-error', detail });
    this.#peerDraining.resolve();
    this.drain({ reason: 'peer-goaway', detail });
  }

  #recvViolation({ kind, detail }: Violation): void {
    this.end({ reason: kind === 'flood' ? 'flood' : 'protocol-violation', detail });
  }

  #recvTransportError(error: Error): void {
    this.end(sessionEndOf(error));
    this.#transport.destroy();
  }

  #recvClose(): void {
    const state = this.#state;
    if (state.kind === 'closed') return;
    if (state.kind === 'ending') state.cancelLinger();
    this.#state = { kind: 'closed' };
    this.#keepalive.stop();
    this.#cancelFirstFrames();
    this.connection.lose();
    this.#closed.resolve(state.kind === 'serving' ? { reason: 'connection-lost', detail: 'the peer closed it' } : state.end);
  }

  /** L4. */
  #schedule(): void {
    if (this.#scheduled || this.#writing !== undefined) return;
    this.#scheduled = true;
    if (this.connection.outbox.writesOfOne >= alone) process.nextTick(this.#flush);
    else setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    const { outbox } = this.connection;
    if (outbox.length === 0 || this.#writing !== undefined || this.#state.kind === 'closed') return;
    const { slab, bytes } = outbox.take();
    this.#writing = slab;
    this.#transport.write(bytes, this.#recvWritten);
    this.connection.recvRoom();
  };

  /** L3. */
  readonly #recvWritten = (): void => {
    const slab = this.#writing;
    this.#writing = undefined;
    if (slab !== undefined) this.connection.outbox.giveBack(slab);
    if (this.connection.outbox.length > 0) this.#flush();
  };

  #writeLast(): void {
    const { bytes } = this.connection.outbox.take();
    if (!this.#transport.writable) return void this.#transport.destroy();
    this.#transport.end(bytes);
  }
}

function allowancesOf(clock: Clock): ConnectionDeps['allowances'] {
  return {
    control: new FrameAllowance({}, { clock }),
    resets: new FrameAllowance(resetAllowance, { clock }),
    useless: new FrameAllowance(uselessAllowance, { clock }),
  };
}
