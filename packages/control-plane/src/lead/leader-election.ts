/**
 * One leader among the replicas, by a Lease.
 *
 *   standing by ── created, or taken after its end ──▶ leading ── renewed ──▶ leading
 *        ▲                                                │
 *        └── another's, or not renewed in time, or given back
 *
 * E1  Two replicas never lead at once: the leader stops by itself `renewWithinMs` after it last began a renewal that
 *     succeeded, and others wait `leaseMs`, which is longer, from when they saw it.
 * E2  A write names the state that it replaces; of two that take the lease one is refused.
 * E3  Whoever stops in order gives the lease back, after its work has ended.
 */
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import { answerText } from '../kubernetes/api-answer.ts';
import { collectionPath } from '../kubernetes/resource.ts';
import { decideLease } from './lease-decision.ts';
import { leaseBody, leasePath, leaseResource, readLease } from './lease.ts';
import type { ApiClient } from '../kubernetes/api-client.ts';
import type { ApiFailure } from '../kubernetes/api-answer.ts';
import type { Lease, LeaseName } from './lease.ts';

export type LeaderElectionOptions = {
  readonly lease: LeaseName;
  /** Of this process, and of no other one ever. */
  readonly identity: string;
  /** Milliseconds for which others wait for a leader that is silent. @default 15 000 */
  readonly leaseMs?: number;
  /** Milliseconds after which a leader that cannot renew stops. @default 10 000 */
  readonly renewWithinMs?: number;
  /** Milliseconds between looks at the lease. @default 2000 */
  readonly retryMs?: number;
};

type Deps = {
  readonly api: Pick<ApiClient, 'call'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** This replica leads until `signal` aborts; what is returned is awaited before another term. Must not throw. */
  readonly lead: (signal: AbortSignal) => AsyncDisposable;
};

type State =
  | { readonly kind: 'standby' }
  | { readonly kind: 'leading'; readonly term: AbortController; readonly work: AsyncDisposable; cancelDeadline: Cancel };

type Look =
  | { readonly kind: 'seen'; readonly lease: Lease | undefined }
  | { readonly kind: 'failed'; readonly failure: ApiFailure };

/** Milliseconds for one call. */
const callMs = 5000;

export class LeaderElection implements AsyncDisposable {
  readonly #options: Required<LeaderElectionOptions>;
  readonly #deps: Deps;
  readonly #closing = new AbortController();
  #state: State = { kind: 'standby' };
  /** The lease as it was seen last, and since when it is like that. */
  #seen: { readonly version: string; readonly sinceMs: number } = { version: '', sinceMs: 0 };
  #reported = '';
  #ending: Promise<void> = Promise.resolve();
  #running: Promise<void> = Promise.resolve();

  constructor(options: LeaderElectionOptions, deps: Deps) {
    this.#options = { leaseMs: 15_000, renewWithinMs: 10_000, retryMs: 2000, ...options };
    this.#deps = deps;
  }

  get leading(): boolean {
    return this.#state.kind === 'leading';
  }

  start(): void {
    this.#running = this.#run(this.#closing.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#running;
    const led = this.leading;
    this.#lose('shutting down');
    await this.#ending;
    if (led) await this.#giveBack();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps;
    try {
      for (;;) {
        await this.#step(signal);
        await delay(clock, this.#options.retryMs * (1 + 0.2 * random.unit()), signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #step(signal: AbortSignal): Promise<void> {
    const look = await this.#look(signal);
    if (look.kind === 'failed') return this.#report(look.failure);
    const step = decideLease({ lease: look.lease, unchangedMs: this.#unchangedMs(look.lease) }, this.#options.identity);
    if (step === 'wait') return this.#lose(`${look.lease?.holder} leads`);
    // The work of an earlier term ends before a new one begins.
    if (!this.leading) await this.#ending;
    const beganMs = this.#deps.clock.monotonicMs();
    const answer = await this.#write(look.lease, this.#options.identity, signal);
    // A conflict is another replica's success, and the next look shows whose.
    if (answer.kind === 'ok') this.#recvHeld(beganMs);
    else if (answer.kind !== 'refused' || answer.status !== 409) this.#report(answer);
  }

  async #look(signal: AbortSignal): Promise<Look> {
    const answer = await this.#deps.api.call({ path: leasePath(this.#options.lease), timeoutMs: callMs }, signal);
    if (answer.kind === 'ok') return { kind: 'seen', lease: readLease(answer.body) };
    return answer.kind === 'refused' && answer.status === 404
      ? { kind: 'seen', lease: undefined }
      : { kind: 'failed', failure: answer };
  }

  #unchangedMs(lease: Lease | undefined): number {
    const now = this.#deps.clock.monotonicMs();
    const version = lease?.resourceVersion ?? '';
    if (this.#seen.version !== version) this.#seen = { version, sinceMs: now };
    return now - this.#seen.sinceMs;
  }

  #write(before: Lease | undefined, holder: string, signal: AbortSignal): ReturnType<ApiClient['call']> {
    const { lease, leaseMs } = this.#options;
    const body = leaseBody({
      name: lease,
      holder,
      durationMs: holder === '' ? 1000 : leaseMs,
      nowMs: this.#deps.clock.now(),
      ...(before === undefined ? {} : { before }),
    });
    const path = before === undefined ? collectionPath(leaseResource, lease.namespace) : leasePath(lease);
    return this.#deps.api.call({ method: before === undefined ? 'POST' : 'PUT', path, body, timeoutMs: callMs }, signal);
  }

  #recvHeld(beganMs: number): void {
    const { clock, logger, lead } = this.#deps;
    const leftMs = this.#options.renewWithinMs - (clock.monotonicMs() - beganMs);
    this.#reported = '';
    if (leftMs <= 0) return this.#lose('the renewal took too long');
    const cancelDeadline = clock.after(leftMs, () => this.#lose('the lease could not be renewed in time'));
    if (this.#state.kind === 'leading') {
      this.#state.cancelDeadline();
      this.#state.cancelDeadline = cancelDeadline;
      return;
    }
    logger.info('this replica leads: it writes to the cluster', { identity: this.#options.identity });
    const term = new AbortController();
    this.#state = { kind: 'leading', term, work: lead(term.signal), cancelDeadline };
  }

  #lose(reason: string): void {
    if (this.#state.kind === 'standby') return;
    const { term, work, cancelDeadline } = this.#state;
    this.#state = { kind: 'standby' };
    cancelDeadline();
    term.abort();
    this.#deps.logger.info('this replica leads no more', { reason });
    this.#ending = Promise.resolve(work[Symbol.asyncDispose]());
  }

  /** Best effort: without it others wait for the lease to end. */
  async #giveBack(): Promise<void> {
    const signal = new AbortController().signal;
    const look = await this.#look(signal);
    if (look.kind !== 'seen' || look.lease?.holder !== this.#options.identity) return;
    await this.#write(look.lease, '', signal);
  }

  #report(failure: ApiFailure): void {
    const text = answerText(failure);
    if (text !== this.#reported) this.#deps.logger.warn('the lease cannot be read or written', { error: text });
    this.#reported = text;
  }
}
