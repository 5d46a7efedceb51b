/**
 * The engine of our own: HTTP/2 as far as HBONE needs it (`../http2`), in the same language as its streams' owners. No byte
 * crosses from one runtime to the other but where TLS does.
 */
import type { Duplex } from 'node:stream';
import { frameHeaderBytes } from '../http2/frame.ts';
import { Slabs } from '../http2/outbox.ts';
import { UnreadBudget } from '../http2/unread-budget.ts';
import type { Clock } from '../lifecycle/clock.ts';
import { MeshError } from '../observe/mesh-error.ts';
import { createReadBuffer } from '../net/borrowed-reads.ts';
import type { ClientSession, EngineSettings, IncomingConnect, ServerSession, TunnelEngine } from './engine.ts';
import { FramedClientSession } from './framed-client-session.ts';
import { FramedServerSession } from './framed-server-session.ts';
import type { FramedDeps } from './framed-session.ts';
import { GatheredWrites } from './gathered-writes.ts';

/** With its frame header a whole read fills four records of TLS, and begins no fifth. */
const readBytes = 64 * 1024 - frameHeaderBytes;

export type FramedEngineOptions = {
  /** Bytes that readers of all tunnels together may leave unread before their peers have to wait. @default 256 MiB */
  readonly unreadLimit?: number;
};

export class FramedEngine implements TunnelEngine {
  readonly name = 'framed';
  readonly #deps: FramedDeps;
  #inner: FramedEngine | undefined;

  /** Buffers are shared by all connections: one that is at rest holds none. */
  constructor(deps: { readonly clock: Clock; readonly unread?: UnreadBudget }, options: FramedEngineOptions = {}) {
    const unread = deps.unread ?? new UnreadBudget(options.unreadLimit ?? 256 * 1024 * 1024);
    const slabs = new Slabs();
    const gathered = new GatheredWrites(slabs);
    this.#deps = { clock: deps.clock, slabs, gathered, unread, readBuffer: createReadBuffer(readBytes) };
  }

  /** Bytes that readers have not taken yet. */
  get unreadBytes(): number {
    return this.#deps.unread.held;
  }

  /**
   * An inner connection reads in the midst of an outer one's read, whose buffer must stay as it is until that returns. What its
   * readers leave unread counts with that of all others.
   */
  get inner(): TunnelEngine {
    const { clock, unread } = this.#deps;
    this.#inner ??= new FramedEngine({ clock, unread });
    return this.#inner;
  }

  connect(transport: Duplex, settings: EngineSettings): Promise<ClientSession> {
    if (transport.destroyed) {
      const message = 'the connection closed before HTTP/2 began';
      return Promise.reject(new MeshError('MESH-HBONE-004', { message }));
    }
    return Promise.resolve(new FramedClientSession(transport, settings, this.#deps));
  }

  serve(transport: Duplex, settings: EngineSettings, onConnect: (incoming: IncomingConnect) => void): ServerSession {
    return new FramedServerSession(transport, settings, { ...this.#deps, onConnect });
  }
}
