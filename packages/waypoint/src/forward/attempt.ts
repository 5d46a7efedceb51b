/**
 * One attempt, until its head is there or it is certain that none comes.
 *
 *   send ─┬─▶ outcome ─────────────────▶ settled
 *         └─▶ cut ─▶ outcome | silence ─▶ settled
 *
 * A1  Whoever cuts it decides what failed, the upstream what had been sent by then: only its own word makes an attempt
 *     count as not processed, silence within the grace does not.
 * A2  An answer that comes after the end is destroyed.
 */
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import { failureTable } from '../exchange/failure.ts';
import type { Failure, FailureRow } from '../exchange/failure.ts';
import { LightController } from '../exchange/light-signal.ts';
import { discardBody } from '../exchange/answer-body.ts';
import type { AttemptOutcome, Upstream, UpstreamAnswer, UpstreamBody, UpstreamEndpoint, UpstreamRequest } from './upstream.ts';

export type AttemptResult =
  | { readonly kind: 'answer'; readonly answer: UpstreamAnswer }
  | { readonly kind: 'failed'; readonly failure: Failure; readonly processed: FailureRow['processed'] };

/** How long an attempt that was cut may take to say how far it had come, milliseconds. */
const graceMs = 10;

export class Attempt {
  readonly #clock: Clock;
  readonly #controller = new LightController();
  readonly #settled = Promise.withResolvers<AttemptResult>();
  #over = false;
  #cut: Failure | undefined;
  #cancelTimer: Cancel | undefined;

  constructor(deps: { readonly clock: Clock }) {
    this.#clock = deps.clock;
  }

  /** Never rejects. @param perTryMs until the head, milliseconds; Infinity: no limit */
  send(
    upstream: Upstream,
    endpoint: UpstreamEndpoint,
    request: UpstreamRequest,
    body: UpstreamBody,
    perTryMs: number,
  ): Promise<AttemptResult> {
    if (perTryMs < Infinity) {
      const detail = `endpoint ${endpoint.name} did not answer within ${perTryMs} ms`;
      this.#cancelTimer = this.#clock.after(perTryMs, () => this.cut({ kind: 'per-try-timeout', detail }));
    }
    try {
      upstream.send(endpoint, request, body, this.#controller).then(this.#recvOutcome, this.#recvDefect);
    } catch (thrown) {
      this.#recvDefect(thrown);
    }
    return this.#settled.promise;
  }

  /** Ends it; without effect once it has ended. */
  cut(failure: Failure): void {
    if (this.#over || this.#cut !== undefined) return;
    this.#cut = failure;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#clock.after(graceMs, () => this.#settle({ kind: 'failed', failure, processed: 'unknown' }));
    this.#controller.abort(new Error(failure.detail));
  }

  readonly #recvOutcome = (outcome: AttemptOutcome): void => {
    if (this.#over || this.#cut !== undefined) destroyAnswer(outcome);
    if (this.#over) return;
    if (outcome.kind === 'answer') {
      this.#settle(this.#cut === undefined ? outcome : { kind: 'failed', failure: this.#cut, processed: 'unknown' });
      return;
    }
    const { processed } = failureTable[outcome.failure.kind];
    this.#settle({ kind: 'failed', failure: this.#failureOf(outcome.failure, processed), processed });
  };

  /** An endpoint too slow to be connected with is one that could not be connected with. */
  #failureOf(failure: Failure, processed: FailureRow['processed']): Failure {
    if (this.#cut === undefined) return failure;
    if (this.#cut.kind !== 'per-try-timeout' || processed !== 'no') return this.#cut;
    return { ...failure, detail: `${this.#cut.detail}: ${failure.detail}` };
  }

  /** Not by the contract of Upstream, U1; nobody knows what was sent. */
  readonly #recvDefect = (thrown: unknown): void => {
    const detail = thrown instanceof Error ? thrown.message : String(thrown);
    this.#settle({ kind: 'failed', failure: this.#cut ?? { kind: 'reset', detail }, processed: 'unknown' });
  };

  #settle(result: AttemptResult): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimer?.();
    this.#settled.resolve(result);
  }
}

function destroyAnswer(outcome: AttemptOutcome): void {
  if (outcome.kind === 'answer') discardBody(outcome.answer.body);
}
