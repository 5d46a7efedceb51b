/**
 * What every part of a connection shares: its state, its streams, the way out, and how errors are answered.
 *
 *   open ── a violation, or goodbye ──▶ over
 *
 * E1  What harms the connection ends it with GOAWAY and a code (RFC 9113 section 5.4.1), what harms a stream resets that
 *     (section 5.4.2).
 * E2  Frames that cost us and bring nothing are allowed so often and no more: PING and SETTINGS, resets (by the peer or by
 *     reason of it: CVE-2023-44487, CVE-2025-8671), and those that change nothing (CVE-2019-9518).
 * E3  A GOAWAY never lets in more than one before it did (section 6.8).
 */
import type { ConnectionDeps, ConnectionOptions, Violation } from './connection-parts.ts';
import { errorCode } from './error-code.ts';
import { max31Bits } from './frame.ts';
import { FrameSender } from './frame-sender.ts';
import { assumedSettings } from './settings.ts';
import type { PeerSettings } from './settings.ts';
import type { Http2Stream } from './stream.ts';
import { StreamTable } from './stream-table.ts';
import type { ClosedHow } from './stream-table.ts';

export class ConnectionCore {
  readonly options: ConnectionOptions;
  readonly events: ConnectionDeps['events'];
  readonly sender: FrameSender;
  readonly streams: StreamTable;
  readonly #allowances: ConnectionDeps['allowances'];
  /** `undefined` before its first SETTINGS. */
  peer: PeerSettings | undefined;
  #state: 'open' | 'over' = 'open';
  /** E3. The highest stream of the peer that is still taken. */
  #lastTaken = max31Bits;

  constructor(options: ConnectionOptions, { events, slabs, allowances }: ConnectionDeps) {
    this.options = options;
    this.events = events;
    this.#allowances = allowances;
    this.streams = new StreamTable(options.role);
    const { uniqueFields } = options;
    this.sender = new FrameSender(uniqueFields === undefined ? {} : { unique: uniqueFields }, {
      slabs,
      onPending: () => events.recvPending(),
    });
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isClient(): boolean {
    return this.options.role === 'client';
  }

  /** What a new stream of either side may send at first. */
  get initialSendWindow(): number {
    return (this.peer ?? assumedSettings).initialWindowSize;
  }

  /** False for a stream above our GOAWAY. */
  isTaken(id: number): boolean {
    return id <= this.#lastTaken;
  }

  /** E3. */
  goaway(code: number): void {
    this.#lastTaken = Math.min(this.#lastTaken, this.streams.lastOfPeer);
    this.sender.goaway(this.#lastTaken, code);
  }

  end(): void {
    this.#state = 'over';
  }

  close(stream: Http2Stream, how: ClosedHow): void {
    stream.state = 'closed';
    this.sender.forget(stream);
    this.streams.close(stream.id, how);
  }

  /** Resets a stream that has no owner. */
  refuse(id: number, code: number): void {
    // E2.
    if (!this.allows('resets')) return;
    this.sender.reset(id, code);
    this.streams.close(id, 'reset');
  }

  /** E1: a stream error of the peer's making. */
  fault(stream: Http2Stream, code: number): void {
    if (!this.allows('resets')) return;
    this.sender.reset(stream.id, code);
    this.close(stream, 'reset');
    stream.events.recvReset(code);
  }

  /** E2. */
  allows(kind: keyof ConnectionDeps['allowances']): boolean {
    if (this.#allowances[kind].take()) return true;
    this.flood(`too many frames that bring nothing (${kind})`);
    return false;
  }

  flood(detail: string): void {
    this.fail(errorCode.ENHANCE_YOUR_CALM, detail, 'flood');
  }

  /** E1: a connection error. */
  fail(code: number, detail: string, kind: Violation['kind'] = 'violation'): void {
    if (this.#state === 'over') return;
    this.goaway(code);
    this.end();
    this.events.recvViolation({ kind, detail });
  }
}
