/**
 * The streams of one connection by their identifiers (RFC 9113 section 5.1.1).
 *
 *   idle ── opened by either side ──▶ known ──▶ closed, remembered for a while ──▶ closed
 *
 * Of what closed a moment ago it is known how: what still arrives for a stream that this side reset is no error, since the
 * peer may not know yet (section 5.1, "closed").
 */
import { max31Bits } from './frame.ts';
import type { Http2Stream } from './stream.ts';

/** `reset`: by this side. `ended`: by both in order, or by the peer's reset. */
export type ClosedHow = 'reset' | 'ended';

/** Closed streams that are remembered; as many as may be open. */
const maxClosed = 200;

export class StreamTable {
  readonly #role: 'client' | 'server';
  readonly #known = new Map<number, Http2Stream>();
  readonly #closed = new Map<number, ClosedHow>();
  #lastOfPeer = 0;
  #nextOwn = 1;

  /** @param role of this side */
  constructor(role: 'client' | 'server') {
    this.#role = role;
  }

  get size(): number {
    return this.#known.size;
  }

  /** The newest stream the peer opened; 0: none. */
  get lastOfPeer(): number {
    return this.#lastOfPeer;
  }

  /** Identifiers are left for a stream of this side's own. */
  get hasIds(): boolean {
    return this.#nextOwn <= max31Bits;
  }

  get(id: number): Http2Stream | undefined {
    return this.#known.get(id);
  }

  values(): readonly Http2Stream[] {
    return [...this.#known.values()];
  }

  /** Never opened by anybody. */
  isIdle(id: number): boolean {
    const clients = id % 2 === 1;
    return clients === (this.#role === 'client') ? id >= this.#nextOwn : id > this.#lastOfPeer;
  }

  /** Undefined: closed too long ago, or skipped. */
  howClosed(id: number): ClosedHow | undefined {
    return this.#closed.get(id);
  }

  /** A client's next identifier. */
  takeId(): number {
    const id = this.#nextOwn;
    this.#nextOwn += 2;
    return id;
  }

  recvId(id: number): void {
    this.#lastOfPeer = id;
  }

  add(stream: Http2Stream): void {
    this.#known.set(stream.id, stream);
  }

  close(id: number, how: ClosedHow): void {
    this.#known.delete(id);
    this.#closed.set(id, how);
    if (this.#closed.size <= maxClosed) return;
    for (const oldest of this.#closed.keys()) {
      this.#closed.delete(oldest);
      return;
    }
  }
}
