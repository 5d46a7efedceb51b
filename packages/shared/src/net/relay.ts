/**
 * Copies bytes both ways between two streams until both directions ended (l4-contract section 2.5).
 *
 *   copying ── all four ends in order ──────────────▶ ended: complete
 *   copying ── one side lost ──▶ flushing the other ─▶ ended: complete | broken
 *   copying | flushing ── signal ───────────────────▶ ended: cut
 *
 * R1  The end of one direction is passed on as an end; the other direction goes on as long as it likes.
 * R2  A reset is not passed on: the other side gets what was already read, then an orderly end, then it is closed.
 *     With `resets` it is, and what was read and not taken yet is lost with it, as without a proxy between.
 * R3  Both streams are destroyed when the promise settles; it never rejects.
 * R4  A reader that stops makes the writer stop.
 * R5  Somebody else may end a side's writing before its time. What comes for it then is read and let go.
 * R6  Most relays are idle most of the time, so what an idle one holds counts: the copying is our own, with one listener
 *     for each event. Node's pipe() adds nine closures a direction, and turns each single listener into an array; that
 *     was four of the twelve kilobytes of an open connection (`npm run bench -- idle`).
 */
import type { Duplex } from 'node:stream';
import type { Cancel, Clock } from '../lifecycle/clock.ts';
import { closeStream } from './close-stream.ts';

/**
 * A stream that is done with what is written to it before the call returns, so that the buffer can be used again.
 * Compliance: what arrives is what was written, however little room there is.
 */
export interface Borrower {
  /** Reads of `source` come in a buffer of the borrower's from now on, in `data` events as always. False: this one's cannot. */
  borrowFrom(source: Duplex): boolean;
  /** As `write`, of bytes that are good until it returns. */
  writeBorrowed(bytes: Buffer): boolean;
}

/** A stream whose bytes need not be kept: they are in a buffer of its own, and good until its `data` event ends. */
export interface Lender {
  /** From now on; what was read before comes as always. */
  lend(): void;
  /** Writes a copy, whose memory is used again once it is written. */
  lendTo(to: Duplex, bytes: Buffer): boolean;
}

/** `near` is the connection that was accepted, `far` the one that was opened for it. */
export type RelaySide = 'near' | 'far';

export type RelayEnd =
  | { readonly kind: 'complete' }
  | { readonly kind: 'broken'; readonly side: RelaySide; readonly error: Error }
  | { readonly kind: 'cut'; readonly reason: unknown };

export type RelayOptions = {
  /** How long the other side may take nothing of what was read before a reset, milliseconds. @default 30 000 */
  readonly flushMs?: number;
  /** Pass on to either side that the other one was reset, or that it was cut (R2). @default false */
  readonly resets?: boolean;
};

type State = { readonly kind: 'copying' } | { readonly kind: 'flushing'; cancelTimer: Cancel } | { readonly kind: 'ended' };

/** Runs the copy; resolves when it is over, with both streams destroyed. `signal` cuts it at once. */
export function relay(
  near: Duplex,
  far: Duplex,
  deps: { readonly clock: Clock },
  signal: AbortSignal,
  options: RelayOptions = {},
): Promise<RelayEnd> {
  return new Relay(near, far, options, deps.clock, signal).run();
}

class Relay {
  readonly #near: Duplex;
  readonly #far: Duplex;
  readonly #options: RelayOptions;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #end = Promise.withResolvers<RelayEnd>();
  #state: State = { kind: 'copying' };
  /** Directions that are fully over: an `end` and a `finish` of each stream. */
  #endsLeft = 4;

  constructor(near: Duplex, far: Duplex, options: RelayOptions, clock: Clock, signal: AbortSignal) {
    this.#near = near;
    this.#far = far;
    this.#options = options;
    this.#clock = clock;
    this.#signal = signal;
  }

  run(): Promise<RelayEnd> {
    this.#watch('near', this.#near, this.#far);
    this.#watch('far', this.#far, this.#near);
    this.#signal.addEventListener('abort', this.#recvAbort, { once: true });
    if (this.#signal.aborted) this.#recvAbort();
    else if (this.#near.destroyed) this.#recvLoss('near', this.#near.errored ?? undefined);
    else if (this.#far.destroyed) this.#recvLoss('far', this.#far.errored ?? undefined);
    else {
      this.#copy(this.#near, this.#far);
      this.#copy(this.#far, this.#near);
    }
    return this.#end.promise;
  }

  #watch(side: RelaySide, stream: Duplex, other: Duplex): void {
    // `on`, although each comes once: the wrappers of `once` took a kilobyte of every open connection.
    stream.on('end', () => {
      // R1.
      if (this.#state.kind === 'copying') other.end();
      this.#recvEnd();
    });
    stream.on('finish', this.#recvEnd);
    stream.on('error', (error: Error) => this.#recvLoss(side, error));
    stream.on('close', () => this.#recvLoss(side, undefined));
  }

  readonly #recvEnd = (): void => {
    this.#endsLeft--;
    if (this.#endsLeft === 0 && this.#state.kind === 'copying') this.#settle({ kind: 'complete' });
  };

  /** R4. */
  #copy(from: Duplex, to: Duplex): void {
    const resume = (): void => void from.resume();
    const write = writerOf(from, to);
    from.on('data', (chunk: Buffer) => {
      if (this.#state.kind !== 'copying' || to.writableEnded || write(chunk)) return;
      from.pause();
      to.once('drain', resume);
    });
    if (isBorrower(to)) to.borrowFrom(from);
    if (isLender(from)) from.lend();
    if (!to.writableNeedDrain) return resume();
    from.pause();
    to.once('drain', resume);
  }

  /** One side is gone before its time. A stream that had ended in order and then closed is no failure of anyone. */
  #recvLoss(side: RelaySide, error: Error | undefined): void {
    if (this.#state.kind !== 'copying') return;
    const [lost, other] = side === 'near' ? [this.#near, this.#far] : [this.#far, this.#near];
    if (error === undefined && lost.readableEnded && lost.writableFinished) return;
    const end: RelayEnd =
      error === undefined && lost.readableEnded
        ? { kind: 'complete' }
        : { kind: 'broken', side, error: error ?? new Error('closed before its end') };
    if (other.destroyed || other.writableFinished || this.#isAbrupt(end)) return this.#settle(end);
    this.#flush(other, end);
  }

  #flush(other: Duplex, end: RelayEnd): void {
    const flushMs = this.#options.flushMs ?? 30_000;
    const finish = (): void => this.#settle(end);
    const flushing: State = { kind: 'flushing', cancelTimer: () => {} };
    const watch = (left: number): void => {
      flushing.cancelTimer = this.#clock.after(flushMs, () =>
        other.writableLength < left ? watch(other.writableLength) : finish(),
      );
    };
    this.#state = flushing;
    // What it says now has nowhere to go.
    other.pause();
    other.once('finish', finish);
    other.once('close', finish);
    if (!other.writableEnded) other.end();
    watch(other.writableLength);
  }

  readonly #recvAbort = (): void => this.#settle({ kind: 'cut', reason: this.#signal.reason });

  #settle(end: RelayEnd): void {
    if (this.#state.kind === 'ended') return;
    if (this.#state.kind === 'flushing') this.#state.cancelTimer();
    this.#state = { kind: 'ended' };
    this.#signal.removeEventListener('abort', this.#recvAbort);
    const how = this.#isAbrupt(end) ? 'reset' : 'in-order';
    closeStream(this.#near, how);
    closeStream(this.#far, how);
    this.#end.resolve(end);
  }

  #isAbrupt(end: RelayEnd): boolean {
    return this.#options.resets === true && end.kind !== 'complete';
  }
}

/** Both ways of writing take bytes that are good until they return, and any others as well. */
function writerOf(from: Duplex, to: Duplex): (chunk: Buffer) => boolean {
  if (isBorrower(to)) return (chunk) => to.writeBorrowed(chunk);
  if (isLender(from)) return (chunk) => from.lendTo(to, chunk);
  return (chunk) => to.write(chunk);
}

function isBorrower(stream: Duplex): stream is Duplex & Borrower {
  return 'writeBorrowed' in stream && 'borrowFrom' in stream;
}

function isLender(stream: Duplex): stream is Duplex & Lender {
  return 'lend' in stream && 'lendTo' in stream;
}
