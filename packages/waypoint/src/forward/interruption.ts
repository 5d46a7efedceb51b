/**
 * Everything that may end an exchange from outside: its deadline, silence, its caller. The first one counts.
 *
 * It ends what is under way at that moment, be it an attempt, a wait or an answer's body; and it owns the timer and the
 * listener, which are gone when it is disposed.
 */
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import type { LightSignal } from '../exchange/light-signal.ts';
import type { Failure } from '../exchange/failure.ts';
import type { IdleWatch, Watched } from './idle-watch.ts';

/** What can be ended; called at most once. */
export type UnderWay = { cut(failure: Failure): void };

export type InterruptionOptions = {
  /** Monotonic milliseconds; Infinity: none. */
  readonly deadlineMs: number;
  readonly idleMs: number;
  readonly nowMs: number;
};

export class Interruption implements Disposable {
  /** Counted up by whoever moves a byte. */
  readonly watched: Watched;
  readonly #idle: IdleWatch;
  readonly #clock: Clock;
  readonly #signal: LightSignal;
  readonly #cancelDeadline: Cancel | undefined;
  #underWay: UnderWay | undefined;
  #failure: Failure | undefined;

  constructor(
    { deadlineMs, idleMs, nowMs }: InterruptionOptions,
    signal: LightSignal,
    deps: { readonly clock: Clock; readonly idle: IdleWatch },
  ) {
    this.#signal = signal;
    this.#clock = deps.clock;
    this.#idle = deps.idle;
    this.watched = deps.idle.add(idleMs, nowMs, () =>
      this.cut({ kind: 'idle-timeout', detail: `nothing moved for ${idleMs} ms` }),
    );
    this.#cancelDeadline =
      deadlineMs === Infinity ? undefined : deps.clock.after(deadlineMs - nowMs, () => this.#recvDeadline(deadlineMs - nowMs));
    if (signal.aborted) this.#recvCallerGone();
    else signal.addEventListener('abort', this.#recvCallerGone, { once: true });
  }

  /** What ended the exchange, if anything did. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** From now on this is what a cut ends; `undefined`: nothing is. What comes after a cut is ended at once. */
  set underWay(underWay: UnderWay | undefined) {
    this.#underWay = underWay;
    if (this.#failure !== undefined) underWay?.cut(this.#failure);
  }

  cut(failure: Failure): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.#underWay?.cut(failure);
  }

  /** Ends after the time, or with the exchange. */
  async wait(delayMs: number): Promise<void> {
    if (this.#failure !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#clock.after(delayMs, resolve);
    this.#underWay = { cut: () => resolve() };
    await promise;
    cancel();
    this.#underWay = undefined;
  }

  [Symbol.dispose](): void {
    this.#idle.delete(this.watched);
    this.#cancelDeadline?.();
    this.#signal.removeEventListener('abort', this.#recvCallerGone);
    this.#underWay = undefined;
  }

  #recvDeadline(afterMs: number): void {
    this.cut({ kind: 'request-timeout', detail: `no complete answer within the ${Math.round(afterMs)} ms that were left` });
  }

  readonly #recvCallerGone = (): void =>
    this.cut({ kind: 'caller-gone', detail: 'the caller gave up before the answer was complete' });
}
