/**
 * What one attempt holds, and what its end is told to: endpoint, breaker, limits, observer.
 *
 * L1  Everything taken is given back once, at the end of the attempt: for an answer that is the end of its body.
 * L2  A breaker's ticket is always reported; whatever nobody reported is neutral.
 */
import type { Failure } from '../exchange/failure.ts';
import type { Breaker, BreakerTicket } from './breaker.ts';
import type { AttemptObserver, ForwardMetrics, ObservedEnd } from './dispatch-request.ts';
import type { EndpointSet, Host, HostList } from './endpoint-set.ts';
import type { ForwardPolicy } from './forward-policy.ts';
import type { BackendLimits } from './limits.ts';
import { effectOfFailure, neutral } from './verdict.ts';
import type { Effect } from './verdict.ts';

export type LeaseParts = {
  readonly endpoints: EndpointSet;
  readonly limits: BackendLimits;
  readonly metrics: ForwardMetrics;
};

export type LeaseTerms = {
  readonly host: Host;
  readonly list: HostList;
  readonly policy: ForwardPolicy;
  readonly breaker: Breaker | undefined;
  readonly ticket: BreakerTicket | undefined;
  /** Which slots were taken for it. */
  readonly connection: boolean;
  readonly retry: boolean;
  readonly startedMs: number;
};

export class Lease {
  readonly terms: LeaseTerms;
  observer: AttemptObserver | undefined;
  readonly #parts: LeaseParts;
  #ticketOpen = true;
  #open = true;

  constructor(terms: LeaseTerms, parts: LeaseParts) {
    this.terms = terms;
    this.#parts = parts;
    terms.host.load.inFlight += 1;
  }

  /** Tells breaker and outlier detection. A later failure of the same attempt counts again: a head is not an answer. */
  report({ breaker: verdict, outlier }: Effect): void {
    const { breaker, ticket, host, list, policy } = this.terms;
    if (ticket !== undefined) breaker?.report(ticket, verdict);
    this.#ticketOpen = false;
    this.#parts.endpoints.recvSign(host, list, outlier, policy.outlier);
  }

  /** Tells the balancer. @param retryAfterMs what the endpoint asked for; 0: nothing */
  recvLoad(effect: Effect, nowMs: number, retryAfterMs: number): void {
    const { host, policy, startedMs } = this.terms;
    this.#parts.endpoints.recvLoad(host, effect.load, nowMs - startedMs, retryAfterMs, nowMs, policy.loadBalancing);
  }

  /** The attempt failed. @param status of the answer that broke off, if it had come as far */
  fail({ kind }: Failure, nowMs: number, status?: number): void {
    const effect = status === undefined || kind === 'reset-in-answer' ? effectOfFailure(kind) : neutral;
    this.report(effect);
    this.recvLoad(effect, nowMs, 0);
    this.#parts.metrics.attemptEnded(kind);
    this.release(status === undefined ? { failure: kind } : { failure: kind, status });
  }

  /** The attempt's answer is over. */
  complete(end: ObservedEnd): void {
    this.#parts.metrics.attemptEnded('answer');
    this.release(end);
  }

  /** L1. */
  release(end: ObservedEnd): void {
    if (!this.#open) return;
    this.#open = false;
    const { host, breaker, ticket, connection, retry } = this.terms;
    host.load.inFlight -= 1;
    if (this.#ticketOpen && ticket !== undefined) breaker?.report(ticket, 'neutral');
    if (connection) this.#parts.limits.connections.release();
    if (retry) this.#parts.limits.retries.release();
    this.observer?.end(end);
  }
}
