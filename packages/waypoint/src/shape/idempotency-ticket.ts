/**
 * The right to dispatch one keyed request, and the duty to say how it ended.
 *
 *   open ── complete | notDispatched | unknown ──▶ ended
 *
 * T1  The first report counts; a later one resolves to false and changes nothing.
 * T2  A report that cannot be stored resolves to false too: the record stays in flight and turns unknown with its lease, so
 *     the caller may be given its answer all the same, and nobody dispatches again.
 * T3  Disposing an open ticket reports an unknown outcome.
 */
import type { CapturedAnswer } from './idempotency-answer.ts';
import type { IdempotencyEvent } from './idempotency-state.ts';
import type { IdempotencyStore } from './idempotency-store.ts';

export type TicketOptions = {
  readonly record: string;
  readonly token: string;
  /** @see IdempotencyPolicy.ttlMs */
  readonly ttlMs: number;
  readonly maxBodyBytes: number;
};

export type TicketDeps = {
  readonly store: IdempotencyStore;
  /** Bytes to keep; sealed where they leave the process. */
  readonly encode: (answer: CapturedAnswer) => Uint8Array;
};

export class IdempotencyTicket implements AsyncDisposable {
  readonly #options: TicketOptions;
  readonly #deps: TicketDeps;
  #state: 'open' | 'ended' = 'open';

  constructor(options: TicketOptions, deps: TicketDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Where the key is kept; for the log. */
  get record(): string {
    return this.#options.record;
  }

  /** Largest answer body worth handing to {@link complete}, bytes. */
  get maxBodyBytes(): number {
    return this.#options.maxBodyBytes;
  }

  /**
   * A definite answer, of whatever status: await it before the answer's last byte is forwarded. A 5xx is kept too. It may
   * be transient, but the service had the request, and only what provably was not processed may be sent again.
   */
  complete(answer: CapturedAnswer): Promise<boolean> {
    if (this.#state === 'ended') return Promise.resolve(false);
    const { token, ttlMs, maxBodyBytes } = this.#options;
    const { body, ...bare } = answer;
    const encoded = this.#deps.encode(body !== undefined && body.byteLength <= maxBodyBytes ? answer : bare);
    return this.#report({ kind: 'complete', token, ttlMs, answer: encoded });
  }

  /** Provably nothing reached the application (`processed: 'no'` of the failure table): the key is free again. */
  notDispatched(): Promise<boolean> {
    return this.#report({ kind: 'not-dispatched', token: this.#options.token });
  }

  /** Dispatched, and no definite answer. */
  unknown(): Promise<boolean> {
    return this.#report({ kind: 'unknown', token: this.#options.token });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unknown();
  }

  async #report(event: IdempotencyEvent): Promise<boolean> {
    if (this.#state === 'ended') return false;
    this.#state = 'ended';
    return (await this.#deps.store.apply(this.#options.record, event)).kind === 'settled';
  }
}
