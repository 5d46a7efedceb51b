/**
 * One request on its way to a backend: attempt ─▶ outcome ─▶ decision ─▶ back-off ─▶ attempt …, then its answer's body.
 *
 * X1  One deadline contains everything: attempts, back-off and the answer's body (l7-and-resilience B2).
 * X2  The exchange ends once, and gives back everything it held then: timers, listeners, slots, the request's body.
 * X3  `not-dispatched` is said only if every attempt certainly did nothing (C10).
 */
import { Readable } from 'node:stream';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import { failureTable } from '../exchange/failure.ts';
import type { LightSignal } from '../exchange/light-signal.ts';
import type { Failure, ResponseFlag } from '../exchange/failure.ts';
import type { Refused } from '../exchange/stage.ts';
import { deliver, discard } from './answer-delivery.ts';
import type { Arrived } from './answer-delivery.ts';
import { Attempt } from './attempt.ts';
import type { Breaker, BreakerTicket } from './breaker.ts';
import type { RetryBudget } from './budget.ts';
import { callerDeadline, lateFailure, propagateDeadline } from './deadline.ts';
import type { DispatchRequest, DispatchResult, ForwardMetrics, MutableHeaders } from './dispatch-request.ts';
import type { EndpointSet, Host, HostList } from './endpoint-set.ts';
import type { IdleWatch } from './idle-watch.ts';
import { Interruption } from './interruption.ts';
import { Lease } from './lease.ts';
import { overflow } from './limits.ts';
import type { BackendLimits } from './limits.ts';
import { ReplayBody } from './replay-body.ts';
import { conditionOf, decideRetry, mayRepeat } from './retry.ts';
import type { AttemptEnd, RetryDecision } from './retry.ts';
import type { RouteBreakers } from './route-breakers.ts';
import type { Upstream, UpstreamAnswer } from './upstream.ts';
import { grpcStatusOf } from './verdict.ts';

/** What all exchanges with one backend share. */
export type BackendParts = {
  readonly name: string;
  readonly upstream: Upstream;
  readonly endpoints: EndpointSet;
  readonly limits: BackendLimits;
  readonly budget: RetryBudget;
  readonly breakers: RouteBreakers;
  readonly idle: IdleWatch;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: ForwardMetrics;
};

/** `refused`: no attempt was made. */
type Tried =
  | Refused
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'answer'; readonly arrived: Arrived };

type Ended = Exclude<Tried, { readonly kind: 'refused' }>;

const noHosts: readonly Host[] = [];

export class Exchange {
  readonly #parts: BackendParts;
  readonly #request: DispatchRequest;
  readonly #list: HostList;
  readonly #interruption: Interruption;
  readonly #body: ReplayBody | undefined;
  /** Monotonic milliseconds, Infinity without one; the caller's own, and the earliest of all. */
  readonly #callerDeadlineMs: number;
  readonly #deadlineMs: number;
  #attempts = 0;
  #untouched = true;
  #tried = noHosts;
  #host: Host | undefined;
  /** Taken for the retry that is being waited for. */
  #retrySlot = false;
  #timedOut = false;

  /** The caller has taken a slot of `limits.requests`, which the exchange releases. */
  constructor(request: DispatchRequest, list: HostList, signal: LightSignal, nowMs: number, parts: BackendParts) {
    const { policy, headers, grpc, startedMs, body } = request;
    this.#parts = parts;
    this.#request = request;
    this.#list = list;
    this.#callerDeadlineMs = callerDeadline(headers, grpc, startedMs);
    this.#deadlineMs = Math.min(this.#callerDeadlineMs, startedMs + policy.requestMs);
    const times = { deadlineMs: this.#deadlineMs, idleMs: policy.idleMs, nowMs };
    const interruption = new Interruption(times, signal, parts);
    this.#interruption = interruption;
    if (body instanceof Readable) {
      const recvTooLarge = (): void =>
        interruption.cut({ kind: 'body-too-large', detail: `the body is larger than ${policy.maxRequestBytes} bytes` });
      const maxReplayBytes = policy.retry.attempts === 0 ? 0 : policy.maxReplayBytes;
      const bounds = { maxReplayBytes, maxBytes: policy.maxRequestBytes };
      this.#body = new ReplayBody(body, bounds, { recvTooLarge, watched: interruption.watched });
    }
  }

  /** Never rejects. */
  async run(nowMs: number): Promise<DispatchResult> {
    const { policy } = this.#request;
    const late = lateFailure(this.#callerDeadlineMs - nowMs, policy.minServiceMs);
    if (late !== undefined) return this.#failed(late);
    this.#parts.budget.recvRequest(policy.budget, nowMs);
    for (;;) {
      const cut = this.#interruption.failure;
      if (cut !== undefined) return this.#failed(cut);
      const tried = await this.#try();
      if (tried.kind === 'refused') return this.#failed(tried.failure);
      const end = endOf(tried);
      // Most answers are good: nothing is decided about them.
      if (tried.kind === 'answer' && conditionOf(end, policy.retry) === undefined) return this.#deliver(tried.arrived, '-');
      if (tried.kind === 'failed' && this.#interruption.failure !== undefined) return this.#failed(tried.failure);
      const decision = this.#decide(end);
      if (decision.kind === 'stop') return this.#stop(tried, decision);
      await this.#prepareRetry(tried, decision);
    }
  }

  /** One attempt, from the choice of an endpoint to its head. */
  #try(): Tried | Promise<Tried> {
    const { breakers, endpoints, clock, name } = this.#parts;
    const { route, policy } = this.#request;
    const breaker = breakers.of(route, policy.breaker);
    const ticket = breaker?.admit();
    if (breaker !== undefined && ticket === undefined) {
      return refused('breaker-open', `the breaker of route ${route} to backend ${name} is open; try again later`);
    }
    const host = endpoints.choose(this.#list, policy, this.#tried, clock.monotonicMs());
    if (host === undefined) {
      if (ticket !== undefined) breaker?.report(ticket, 'neutral');
      return refused(
        'no-healthy-endpoint',
        `backend ${name} has ${this.#list.hosts.length} endpoints, and none that may be used`,
      );
    }
    const connection = host.endpoint.protocol === 'HTTP/1.1';
    const taken = connection ? this.#takeConnection() : true;
    if (taken === true) return this.#send(host, breaker, ticket, connection);
    return this.#sendWhenTaken(taken, host, breaker, ticket);
  }

  async #sendWhenTaken(
    taken: false | Promise<boolean>,
    host: Host,
    breaker: Breaker | undefined,
    ticket: BreakerTicket | undefined,
  ): Promise<Tried> {
    if (await taken) return this.#send(host, breaker, ticket, true);
    if (ticket !== undefined) breaker?.report(ticket, 'neutral');
    const { name } = this.#parts;
    const failure = this.#interruption.failure ?? overflow('maxPending', this.#request.policy.limits.maxPending, name);
    return { kind: 'refused', failure };
  }

  /** A slot for one HTTP/1.1 connection: at once, after a while, or not at all. */
  #takeConnection(): boolean | Promise<boolean> {
    const { maxConnections, maxPending } = this.#request.policy.limits;
    const slot = this.#parts.limits.connections.take(maxConnections, maxPending);
    if (slot === undefined || slot === 'taken') return slot === 'taken';
    this.#interruption.underWay = { cut: slot.cancel };
    return slot.taken;
  }

  async #send(host: Host, breaker: Breaker | undefined, ticket: BreakerTicket | undefined, connection: boolean): Promise<Tried> {
    const { upstream, clock } = this.#parts;
    const { method, path, authority, caller, connect, onAttempt, policy } = this.#request;
    const startedMs = clock.monotonicMs();
    const terms = { host, list: this.#list, policy, breaker, ticket, connection, retry: this.#retrySlot, startedMs };
    const lease = new Lease(terms, this.#parts);
    this.#retrySlot = false;
    this.#attempts += 1;
    this.#host = host;
    const headers = this.#headers(startedMs);
    lease.observer = onAttempt?.(host.endpoint, this.#attempts, headers);
    const told = lease.observer?.connect ?? connect;
    const request = { method, path, authority, headers, caller };
    const attempt = new Attempt({ clock });
    this.#interruption.underWay = attempt;
    const result = await attempt.send(
      upstream,
      host.endpoint,
      told === undefined ? request : { ...request, connect: told },
      this.#body === undefined ? this.#request.body : this.#body.attempt(),
      this.#perTryMs(),
    );
    this.#interruption.underWay = undefined;
    this.#interruption.watched.movement += 1;
    if (result.kind === 'answer') return { kind: 'answer', arrived: this.#arrived(result.answer, lease) };
    this.#untouched &&= result.processed === 'no';
    this.#timedOut = result.failure.kind === 'per-try-timeout';
    lease.fail(result.failure, clock.monotonicMs());
    return { kind: 'failed', failure: result.failure };
  }

  #arrived(answer: UpstreamAnswer, lease: Lease): Arrived {
    const { grpc } = this.#request;
    this.#untouched = false;
    this.#timedOut = false;
    return { answer, lease, grpc, grpcStatus: grpc ? grpcStatusOf(answer.headers['grpc-status']) : undefined };
  }

  #headers(nowMs: number): MutableHeaders {
    const { grpc } = this.#request;
    // The first attempt may still be reading its own.
    const headers = this.#attempts > 1 ? { ...this.#request.headers } : this.#request.headers;
    headers['x-envoy-attempt-count'] = String(this.#attempts);
    if (this.#timedOut) headers['x-envoy-is-timeout-retry'] = 'true';
    if (this.#deadlineMs < Infinity) propagateDeadline(headers, grpc, this.#deadlineMs - nowMs);
    return headers;
  }

  /** The last one of several attempts may use what remains of the deadline. */
  #perTryMs(): number {
    const { perTryMs, retry } = this.#request.policy;
    const last = this.#attempts > 1 && this.#attempts > retry.attempts && this.#deadlineMs < Infinity;
    return last ? Infinity : perTryMs;
  }

  #decide(end: AttemptEnd): RetryDecision {
    const { clock, random, budget, limits } = this.#parts;
    const { policy } = this.#request;
    const nowMs = clock.monotonicMs();
    return decideRetry(end, policy.retry, {
      attempts: this.#attempts,
      repeatable: mayRepeat(this.#request, policy),
      replayable: this.#body?.replayable ?? true,
      // Nothing moves while it waits either.
      remainingMs: Math.min(this.#deadlineMs - nowMs, this.#callerDeadlineMs - policy.minServiceMs - nowMs, policy.idleMs),
      budget: budget.allows(policy.budget, nowMs),
      slot: limits.retries.hasRoom(policy.limits.maxRetries),
      nowMs: clock.now(),
      unit: random.unit(),
    });
  }

  async #prepareRetry(tried: Ended, { condition, afterMs }: RetryDecision & { readonly kind: 'retry' }): Promise<void> {
    const { budget, limits, clock, metrics } = this.#parts;
    const { policy } = this.#request;
    if (tried.kind === 'answer') discard(tried.arrived, clock);
    budget.spend(policy.budget, clock.monotonicMs());
    this.#retrySlot = limits.retries.take(policy.limits.maxRetries);
    metrics.retried(condition);
    if (this.#host !== undefined) this.#tried = [...this.#tried, this.#host];
    await this.#interruption.wait(afterMs);
    this.#interruption.watched.movement += 1;
  }

  #stop(tried: Ended, { reason, flag }: RetryDecision & { readonly kind: 'stop' }): DispatchResult {
    const { metrics, clock, name } = this.#parts;
    if (reason !== 'not-retriable') metrics.retryRefused(reason);
    if (tried.kind !== 'answer') {
      // Gateway API: beyond the budget the answer is 503, whatever went wrong before.
      return this.#failed(reason === 'budget' ? { ...tried.failure, status: 503 } : tried.failure, flag);
    }
    if (reason !== 'budget') return this.#deliver(tried.arrived, flag ?? '-');
    discard(tried.arrived, clock);
    const { status } = tried.arrived.answer;
    return this.#failed(
      { kind: 'overflow', detail: `backend ${name} answered ${status}, and its retry budget is used up` },
      flag,
    );
  }

  #deliver(arrived: Arrived, flag: ResponseFlag): DispatchResult {
    const { clock } = this.#parts;
    return deliver(arrived, this.#attempts, flag, { clock, interruption: this.#interruption, onOver: () => this.#end() });
  }

  #failed(failure: Failure, flag: ResponseFlag = failureTable[failure.kind].flag): DispatchResult {
    this.#end();
    const outcome = this.#untouched ? 'not-dispatched' : 'unknown';
    const result = { kind: 'failed', failure, outcome, flag, attempts: this.#attempts } as const;
    return this.#host === undefined ? result : { ...result, endpoint: this.#host.endpoint };
  }

  /** X2. */
  #end(): void {
    this.#interruption[Symbol.dispose]();
    this.#body?.[Symbol.dispose]();
    this.#parts.limits.requests.release();
    if (this.#retrySlot) this.#parts.limits.retries.release();
    this.#retrySlot = false;
  }
}

function endOf(tried: Ended): AttemptEnd {
  if (tried.kind === 'failed') return { kind: 'failed', failure: tried.failure.kind };
  const { answer, grpcStatus } = tried.arrived;
  return { kind: 'answer', status: answer.status, headers: answer.headers, grpcStatus };
}

function refused(kind: 'breaker-open' | 'no-healthy-endpoint', detail: string): Tried {
  const failure = { kind, detail };
  return {
    kind: 'refused',
    failure: kind === 'breaker-open' ? { ...failure, headers: { 'x-envoy-overloaded': 'true' } } : failure,
  };
}
