/**
 * The connections of one pod that are open now: each holds the pod's drain, is cut when the drain is forced, and
 * shows in the dump.
 *
 * C1  A connection holds the drain from the moment it was accepted, so that a drain never overlooks one.
 * C2  A connection opened after the drain was forced is cut before its first byte.
 */
import type { Drain } from '@clearmesh/shared/lifecycle/drain';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { ConnectionCut } from './connection-cut.ts';
import type { Direction } from './access-log.ts';

/** One line of the dump's `connections` (l4-contract section 11.3). */
export type ConnectionSummary = {
  readonly src: string;
  readonly originalDst: string | null;
  readonly actualDst: string;
  readonly protocol: 'HBONE' | 'TCP';
};

/** One open connection; dispose of it exactly when it is over. */
export interface OpenConnection extends Disposable {
  /** Aborts with a {@link ConnectionCut}. */
  readonly signal: AbortSignal;
  cut(reason: ConnectionCut): void;
  /** Tells the dump where it goes, once that is known. */
  joined(summary: Omit<ConnectionSummary, 'src'>): void;
}

/** A class rather than closures: there are as many of these as connections. */
class Entry implements OpenConnection {
  readonly direction: Direction;
  summary: ConnectionSummary | undefined;
  readonly #src: string;
  readonly #controller = new AbortController();
  readonly #release: (entry: Entry) => void;

  constructor(direction: Direction, src: string, release: (entry: Entry) => void) {
    this.direction = direction;
    this.#src = src;
    this.#release = release;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  cut(reason: ConnectionCut): void {
    this.#controller.abort(reason);
  }

  joined(summary: Omit<ConnectionSummary, 'src'>): void {
    this.summary = { src: this.#src, ...summary };
  }

  [Symbol.dispose](): void {
    this.#release(this);
  }
}

export class Connections {
  readonly #drain: Drain;
  readonly #open = new Set<Entry>();

  constructor(deps: { readonly drain: Drain }) {
    this.#drain = deps.drain;
    this.#drain.forced.addEventListener('abort', () => this.#cutAll(), { once: true });
  }

  get size(): number {
    return this.#open.size;
  }

  /** Registers a connection from its accept on. */
  open(direction: Direction, source: SocketAddress): OpenConnection {
    const src = formatSocketAddress(source);
    const release = this.#drain.hold(`${direction} ${src}`);
    const entry = new Entry(direction, src, (ended) => {
      this.#open.delete(ended);
      release();
    });
    this.#open.add(entry);
    if (this.#drain.forced.aborted) entry.cut(drainCut());
    return entry;
  }

  /** What is open and joined now. */
  summaries(direction: Direction): readonly ConnectionSummary[] {
    const found: ConnectionSummary[] = [];
    for (const entry of this.#open) if (entry.direction === direction && entry.summary !== undefined) found.push(entry.summary);
    return found;
  }

  #cutAll(): void {
    for (const entry of this.#open) entry.cut(drainCut());
  }
}

function drainCut(): ConnectionCut {
  return new ConnectionCut({ flag: '-', denial: 'draining', message: 'connection closed due to connection drain' });
}
