/**
 * One identity's certificate, from the first request to the last renewal (section 4).
 *
 *   pending ── signed ──▶ valid ── half life ──▶ renewing ── signed ──▶ valid
 *      └─ failed ─▶ failed ── back-off ──▶ pending | renewing ─ failed ─▶ failed
 *   any ── forget ──▶ forgotten
 *
 * C1  While a certificate that has not expired is at hand, `get` gives it, whatever else is under way.
 * C2  Without one, `get` waits for the first attempt; after a failure it gives that failure at once, and triggers nothing.
 * C3  At most one attempt is queued or under way, and at most one timer is set.
 */
import type { Backoff } from '../lifecycle/backoff.ts';
import type { Cancel, Clock } from '../lifecycle/clock.ts';
import type { Random } from '../lifecycle/random.ts';
import type { SpiffeId } from '../identity/spiffe.ts';
import { MeshError } from '../observe/mesh-error.ts';
import { renewalDelayMs, retryDelayMs } from './renewal-schedule.ts';
import type { SigningPriority, SigningQueue, SigningTicket } from './signing-queue.ts';
import type { WorkloadCertificate } from './workload-certificate.ts';

type Waiting = PromiseWithResolvers<WorkloadCertificate>;

type State =
  /** No certificate yet. `failure` is that of the attempt before, if there was one. */
  | { readonly kind: 'pending'; readonly ticket: SigningTicket; readonly waiting: Waiting; readonly failure?: MeshError }
  | { readonly kind: 'valid'; readonly current: WorkloadCertificate; readonly cancel: Cancel }
  | {
      readonly kind: 'renewing';
      readonly ticket: SigningTicket;
      readonly waiting: Waiting;
      readonly current: WorkloadCertificate;
      readonly failure?: MeshError;
    }
  | { readonly kind: 'failed'; readonly failure: MeshError; readonly current?: WorkloadCertificate; readonly cancel: Cancel }
  | { readonly kind: 'forgotten' };

export type EntryDeps = {
  readonly queue: SigningQueue;
  readonly backoff: Backoff;
  readonly clock: Clock;
  readonly random: Random;
  /** Makes one certificate; bounded in time. */
  readonly issue: (identity: SpiffeId, signal: AbortSignal) => Promise<WorkloadCertificate>;
  readonly onRenewed: (certificate: WorkloadCertificate, renewInMs: number) => void;
  readonly onFailed: (identity: SpiffeId, failure: MeshError, retryInMs: number) => void;
};

export class CertificateEntry {
  readonly identity: SpiffeId;
  readonly #deps: EntryDeps;
  readonly #forgotten = new AbortController();
  #state: State;

  constructor(identity: SpiffeId, priority: SigningPriority, deps: EntryDeps) {
    this.identity = identity;
    this.#deps = deps;
    this.#state = { kind: 'pending', ...this.#attempt(priority) };
  }

  /** The certificate in use, expired or not. */
  get current(): WorkloadCertificate | undefined {
    return 'current' in this.#state ? this.#state.current : undefined;
  }

  /** As the dump shows it: `Available`, `Initializing` or `Unavailable: <why>`. */
  get status(): string {
    if (this.#usable() !== undefined) return 'Available';
    return 'failure' in this.#state && this.#state.failure !== undefined
      ? `Unavailable: ${this.#state.failure.message}`
      : 'Initializing';
  }

  /** True after a failed attempt, until one succeeds. */
  get failing(): boolean {
    return 'failure' in this.#state && this.#state.failure !== undefined;
  }

  get(): Promise<WorkloadCertificate> {
    const usable = this.#usable();
    if (usable !== undefined) return Promise.resolve(usable);
    const state = this.#state;
    switch (state.kind) {
      case 'pending':
      case 'renewing':
        if (state.failure !== undefined) return Promise.reject(this.#refusal(state.failure));
        state.ticket.bump('real-time');
        return state.waiting.promise;
      case 'valid':
        // Its timer is late, as after a suspended machine.
        state.cancel();
        return this.#renew(state.current, 'real-time').promise;
      case 'failed':
        return Promise.reject(this.#refusal(state.failure));
      case 'forgotten':
        return Promise.reject(forgotten(this.identity));
    }
  }

  /** Stops everything and fails whoever waits. */
  forget(): void {
    const state = this.#state;
    this.#state = { kind: 'forgotten' };
    this.#forgotten.abort(forgotten(this.identity));
    if (state.kind === 'valid' || state.kind === 'failed') state.cancel();
    if (state.kind === 'pending' || state.kind === 'renewing') {
      state.ticket.cancel();
      state.waiting.reject(forgotten(this.identity));
    }
  }

  #usable(): WorkloadCertificate | undefined {
    const { current } = this;
    return current !== undefined && current.notAfter > this.#deps.clock.now() ? current : undefined;
  }

  /** The failure, and that a certificate was there and ran out: two different searches for whoever reads it. */
  #refusal(failure: MeshError): MeshError {
    const { current } = this;
    if (current === undefined) return failure;
    return new MeshError('MESH-CERT-001', {
      message: `the certificate of ${this.identity} ran out at ${new Date(current.notAfter).toISOString()}, and renewing it fails: ${failure.message}`,
      hint: failure.hint,
      cause: failure,
    });
  }

  #attempt(priority: SigningPriority): { readonly ticket: SigningTicket; readonly waiting: Waiting } {
    const waiting = Promise.withResolvers<WorkloadCertificate>();
    // It may fail while nobody waits.
    waiting.promise.catch(() => {});
    return { waiting, ticket: this.#deps.queue.add(priority, this.#deps.clock.now(), () => this.#run(waiting)) };
  }

  async #run(waiting: Waiting): Promise<void> {
    try {
      const certificate = await this.#deps.issue(this.identity, this.#forgotten.signal);
      if (certificate.notAfter <= this.#deps.clock.now())
        throw new MeshError('MESH-CERT-001', { message: `the authority gave ${this.identity} an expired certificate` });
      this.#recvSigned(certificate, waiting);
    } catch (thrown) {
      this.#recvFailed(MeshError.from(thrown, 'MESH-CERT-001'), waiting);
    }
  }

  #recvSigned(certificate: WorkloadCertificate, waiting: Waiting): void {
    if (this.#state.kind === 'forgotten') return;
    const { clock, random, backoff, onRenewed } = this.#deps;
    const delayMs = renewalDelayMs(certificate, clock.now(), random);
    backoff.reset();
    this.#state = {
      kind: 'valid',
      current: certificate,
      cancel: clock.after(delayMs, () => void this.#renew(certificate, 'background')),
    };
    waiting.resolve(certificate);
    onRenewed(certificate, delayMs);
  }

  #recvFailed(failure: MeshError, waiting: Waiting): void {
    if (this.#state.kind === 'forgotten') return;
    const { clock, backoff, onFailed } = this.#deps;
    const { current } = this;
    const delayMs = retryDelayMs(backoff.next(), current, clock.now());
    const cancel = clock.after(delayMs, () => this.#retry(failure, current));
    this.#state = { kind: 'failed', failure, cancel, ...(current === undefined ? {} : { current }) };
    waiting.reject(failure);
    onFailed(this.identity, failure, delayMs);
  }

  #retry(failure: MeshError, current: WorkloadCertificate | undefined): void {
    const attempt = this.#attempt('background');
    this.#state =
      current === undefined ? { kind: 'pending', ...attempt, failure } : { kind: 'renewing', ...attempt, current, failure };
  }

  #renew(current: WorkloadCertificate, priority: SigningPriority): Waiting {
    const attempt = this.#attempt(priority);
    this.#state = { kind: 'renewing', ...attempt, current };
    return attempt.waiting;
  }
}

function forgotten(identity: SpiffeId): MeshError {
  return new MeshError('MESH-CERT-001', { message: `${identity} is used by no pod of this node any more` });
}
