/**
 * The connections of one pod that are open now: each holds the pod's drain, is cut when the drain is forced, and
 * shows in the dump.
 *
 * C1  A connection holds the drain from the moment it was accepted, so that a drain never overlooks one.
 * C2  A connection opened after the drain was forced is cut before its first byte.
 * C3  Until then a drain ends connections one by one, each when it is at rest (rest-end.ts).
 */
import type { Duplex } from 'node:stream';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Drain, DrainTime } from '@clearmesh/shared/lifecycle/drain';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { ConnectionCut } from './connection-cut.ts';
import type { Direction } from './access-log.ts';
import { RestEnd } from './rest-end.ts';

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
  /** Names the two streams whose bytes are copied from now on; `near` is the client's. */
  carries(near: Duplex, far: Duplex): void;
}

/** What the connections of a pod have in common. */
type Pod = { readonly drain: Drain; readonly clock: Clock; readonly open: Set<Entry> };

/** A class rather than closures: there are as many of these as connections. */
class Entry implements OpenConnection {
  readonly direction: Direction;
  summary: ConnectionSummary | undefined;
  readonly #src: string;
  readonly #controller = new AbortController();
  readonly #pod: Pod;
  /** C1. */
  readonly #letGo: () => void;
  #near: Duplex | undefined;
  #far: Duplex | undefined;
  #rest: RestEnd | undefined;

  constructor(direction: Direction, src: string, pod: Pod) {
    this.direction = direction;
    this.#src = src;
    this.#pod = pod;
    this.#letGo = pod.drain.hold(`${direction} ${src}`);
    pod.open.add(this);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get heldBytes(): number {
    return bytesWithin(this.#near) + bytesWithin(this.#far);
  }

  cut(reason: ConnectionCut): void {
    this.#controller.abort(reason);
  }

  joined(summary: Omit<ConnectionSummary, 'src'>): void {
    this.summary = { src: this.#src, ...summary };
  }

  carries(near: Duplex, far: Duplex): void {
    this.#near = near;
    this.#far = far;
    const { drain } = this.#pod;
    if (drain.time !== undefined && !drain.forced.aborted) this.endAtRest(drain.time);
  }

  /** C3. */
  endAtRest(time: DrainTime): void {
    if (this.#near !== undefined && this.#far !== undefined) this.#rest = new RestEnd(this.#near, this.#far, time, this.#pod);
  }

  [Symbol.dispose](): void {
    this.#rest?.[Symbol.dispose]();
    this.#pod.open.delete(this);
    this.#letGo();
  }
}

export class Connections {
  readonly #pod: Pod;

  constructor({ drain, clock }: { readonly drain: Drain; readonly clock: Clock }) {
    this.#pod = { drain, clock, open: new Set() };
    drain.draining.addEventListener('abort', () => this.#endAtRest(), { once: true });
    drain.forced.addEventListener('abort', () => this.#cutAll(), { once: true });
  }

  get size(): number {
    return this.#pod.open.size;
  }

  /** Registers a connection from its accept on. */
  open(direction: Direction, source: SocketAddress): OpenConnection {
    const src = formatSocketAddress(source);
    const entry = new Entry(direction, src, this.#pod);
    if (this.#pod.drain.forced.aborted) entry.cut(drainCut());
    return entry;
  }

  /** How many are open now, joined or not. */
  get counts(): { readonly inbound: number; readonly outbound: number } {
    const inbound = this.#pod.open.values().reduce((count, entry) => count + (entry.direction === 'inbound' ? 1 : 0), 0);
    return { inbound, outbound: this.#pod.open.size - inbound };
  }

  /** Bytes that were taken from one side and that the other one has not taken yet. */
  get heldBytes(): number {
    return this.#pod.open.values().reduce((bytes, entry) => bytes + entry.heldBytes, 0);
  }

  /** What is open and joined now. */
  summaries(direction: Direction): readonly ConnectionSummary[] {
    const found: ConnectionSummary[] = [];
    for (const entry of this.#pod.open)
      if (entry.direction === direction && entry.summary !== undefined) found.push(entry.summary);
    return found;
  }

  #endAtRest(): void {
    const { drain, open } = this.#pod;
    if (drain.time !== undefined) for (const entry of open) entry.endAtRest(drain.time);
  }

  #cutAll(): void {
    for (const entry of this.#pod.open) entry.cut(drainCut());
  }
}

function bytesWithin(stream: Duplex | undefined): number {
  return stream === undefined ? 0 : stream.readableLength + stream.writableLength;
}

function drainCut(): ConnectionCut {
  return new ConnectionCut({ flag: '-', denial: 'draining', message: 'connection closed due to connection drain' });
}
