/**
 * Ends one connection of a pod that drains, at a moment that harms nobody: the deadline would cut it wherever it is, in the
 * middle of an answer perhaps.
 *
 *   listening ── quiet after an answer, long enough for the phase of the drain ──▶ the client's side ended in order
 *   listening | ended ── the connection is over ──▶ gone
 *
 * E1  Nothing is ended while a question may be waiting for its answer. The deadline does that (connections.ts).
 * E2  In the first half of a drain what idles is ended; in the second what talks too, early in the pause after an answer, so
 *     that the client has learnt of the end before it asks again.
 * E3  Only the client's direction is ended here. The client's own end then ends the rest, as always (relay.ts).
 * E4  Connections are listened to while they drain only: before, this costs nothing.
 */
import type { Duplex } from 'node:stream';
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import type { DrainTime } from '@clearmesh/shared/lifecycle/drain';
import { Conversation } from './conversation.ts';
import type { DrainPhase } from './conversation.ts';

/** A connection idles when nobody has said anything for this part of the drain, and for so long at least, milliseconds. */
const idleShare = 1 / 20;
const leastIdleMs = 1_000;

/** How soon a connection is looked at again in which a question waits, milliseconds. */
const lookMs = 250;

export class RestEnd implements Disposable {
  readonly #near: Duplex;
  readonly #far: Duplex;
  readonly #time: DrainTime;
  readonly #clock: Clock;
  readonly #conversation: Conversation;
  #dueMs = Infinity;
  #cancel: Cancel | undefined;

  /** `near` is the side of the client. Both flow already, or will be made to by a relay. */
  constructor(near: Duplex, far: Duplex, time: DrainTime, deps: { readonly clock: Clock }) {
    this.#near = near;
    this.#far = far;
    this.#time = time;
    this.#clock = deps.clock;
    const idleMs = Math.max(leastIdleMs, (time.forcedMs - time.beganMs) * idleShare);
    this.#conversation = new Conversation(this.#clock.monotonicMs(), idleMs);
    near.on('data', this.#recvQuestion);
    far.on('data', this.#recvAnswer);
    this.#look();
  }

  [Symbol.dispose](): void {
    this.#near.off('data', this.#recvQuestion);
    this.#far.off('data', this.#recvAnswer);
    this.#cancel?.();
  }

  readonly #recvQuestion = (): void => this.#conversation.recv('client', this.#clock.monotonicMs());

  readonly #recvAnswer = (): void => {
    const nowMs = this.#clock.monotonicMs();
    this.#conversation.recv('server', nowMs);
    const restMs = this.#conversation.restMs(phaseOf(this.#time, nowMs));
    if (nowMs + restMs < this.#dueMs) this.#lookIn(restMs);
  };

  readonly #look = (): void => {
    const nowMs = this.#clock.monotonicMs();
    const restMs = this.#conversation.restMs(phaseOf(this.#time, nowMs));
    const leftMs = this.#conversation.quietSinceMs + restMs - nowMs;
    if (leftMs > 0) this.#lookIn(Math.min(leftMs, lookMs));
    else this.#end();
  };

  #lookIn(ms: number): void {
    this.#cancel?.();
    this.#dueMs = this.#clock.monotonicMs() + ms;
    this.#cancel = this.#clock.after(ms, this.#look);
  }

  /** E3. */
  #end(): void {
    this[Symbol.dispose]();
    if (this.#near.readableEnded || this.#near.writableEnded || this.#near.destroyed) return;
    // What the far side still says is let go (relay.ts, R5), be it held up or not.
    this.#near.end();
    this.#far.resume();
  }
}

function phaseOf({ beganMs, forcedMs }: DrainTime, nowMs: number): DrainPhase {
  const past = (nowMs - beganMs) / (forcedMs - beganMs);
  if (past < 0.5) return 'early';
  return past < 0.8 ? 'late' : 'last';
}
