/**
 * An answer from its head to its end, and what endpoint, breaker and balancer learn from it.
 *
 * D1  The head tells the breaker. With gRPC the status counts (V2 of verdict.ts): without one in the head it is the first
 *     message that speaks for the endpoint, or the trailers if they come first.
 * D2  The round trip ends with the first byte of the body: a head may be sent long before there is an answer.
 * D3  After the head, only a broken answer is the endpoint's fault; a stream that its deadline or its silence ends is not.
 */
import { Readable } from 'node:stream';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Failure, ResponseFlag } from '../exchange/failure.ts';
import { discardBody } from '../exchange/answer-body.ts';
import { watchBody } from './answer-body.ts';
import type { AnswerBodyEvents } from './answer-body.ts';
import type { AnswerEnd, DispatchedAnswer } from './dispatch-request.ts';
import type { Interruption } from './interruption.ts';
import type { Lease } from './lease.ts';
import { retryAfterMs } from './retry-wait.ts';
import type { UpstreamAnswer } from './upstream.ts';
import { effectOfAnswer, grpcStatusOf } from './verdict.ts';
import type { Effect } from './verdict.ts';
import type { Watched } from './idle-watch.ts';
import { UpstreamError } from './wire-failure.ts';

/** An answer as an attempt brought it. */
export type Arrived = {
  readonly answer: UpstreamAnswer;
  readonly lease: Lease;
  readonly grpc: boolean;
  /** From the head. */
  readonly grpcStatus: number | undefined;
};

export type DeliveryDeps = {
  readonly clock: Clock;
  readonly interruption: Interruption;
  /** The body has ended, however it did. */
  readonly onOver: () => void;
};

/** Hands the answer over; its body tells the rest. */
export function deliver(arrived: Arrived, attempts: number, flag: ResponseFlag, deps: DeliveryDeps): DispatchedAnswer {
  const { answer, lease } = arrived;
  const { endpoint } = lease.terms.host;
  const delivery = new Delivery(arrived, deps);
  return {
    kind: 'answer',
    answer: watched(answer, endpoint.name, delivery, deps),
    endpoint,
    attempts,
    flag,
    ended: delivery.ended,
  };
}

function watched(answer: UpstreamAnswer, name: string, delivery: Delivery, { interruption }: DeliveryDeps): UpstreamAnswer {
  if (!(answer.body instanceof Readable)) {
    if (answer.body.length > 0) delivery.recvFirstData();
    delivery.recvEnd(undefined);
    return answer;
  }
  const body = watchBody(answer.body, name, delivery);
  interruption.underWay = { cut: (failure) => void body.destroy(new UpstreamError(failure)) };
  const { status, headers } = answer;
  return { status, headers, body, trailers: () => answer.trailers() };
}

/** Learns from an answer that the caller does not get, since another attempt follows. */
export function discard({ answer, lease, grpcStatus }: Arrived, clock: Clock): void {
  const effect = effectOf(answer, grpcStatus);
  lease.report(effect);
  lease.recvLoad(effect, clock.monotonicMs(), retryAfterMs(answer.status, answer.headers, clock.now()) ?? 0);
  discardBody(answer.body);
  lease.complete(endOf(answer.status, grpcStatus));
}

const complete: AnswerEnd = { kind: 'complete' };

class Delivery implements AnswerBodyEvents {
  readonly watched: Watched;
  readonly #arrived: Arrived;
  readonly #deps: DeliveryDeps;
  /** Only for answers that are not over yet. */
  #ended: PromiseWithResolvers<AnswerEnd> | undefined;
  /** Undecided until the first message or the trailers. */
  #effect: Effect | undefined;
  #measured = false;
  #end: AnswerEnd | undefined;

  constructor(arrived: Arrived, deps: DeliveryDeps) {
    this.#arrived = arrived;
    this.#deps = deps;
    this.watched = deps.interruption.watched;
    const { answer, grpc, grpcStatus } = arrived;
    if (grpc && grpcStatus === undefined && answer.status === 200) return;
    this.#judge(effectOf(answer, grpcStatus));
    if (this.#effect?.load === 'penalty') this.#measure();
  }

  get ended(): Promise<AnswerEnd> {
    if (this.#end !== undefined) return Promise.resolve(this.#end);
    this.#ended ??= Promise.withResolvers();
    return this.#ended.promise;
  }

  recvFirstData(): void {
    if (this.#effect === undefined) this.#judge(effectOfAnswer(200, 0, false));
    this.#measure();
  }

  recvEnd(failure: Failure | undefined): void {
    const { answer, lease, grpc } = this.#arrived;
    if (failure === undefined) {
      const status = grpc ? (this.#arrived.grpcStatus ?? grpcStatusOf(answer.trailers()['grpc-status'])) : undefined;
      if (this.#effect === undefined) this.#judge(effectOfAnswer(answer.status, status ?? 2, false));
      this.#measure();
      lease.complete(endOf(answer.status, status));
    } else {
      lease.fail(failure, this.#deps.clock.monotonicMs(), answer.status);
    }
    this.#deps.onOver();
    this.#end = failure === undefined ? complete : { kind: 'failed', failure };
    this.#ended?.resolve(this.#end);
  }

  #judge(effect: Effect): void {
    this.#effect = effect;
    this.#arrived.lease.report(effect);
  }

  #measure(): void {
    if (this.#measured || this.#effect === undefined) return;
    this.#measured = true;
    const { clock } = this.#deps;
    const { answer, lease } = this.#arrived;
    const asked = this.#effect.load === 'penalty' ? retryAfterMs(answer.status, answer.headers, clock.now()) : undefined;
    lease.recvLoad(this.#effect, clock.monotonicMs(), asked ?? 0);
  }
}

function effectOf({ status, headers }: UpstreamAnswer, grpcStatus: number | undefined): Effect {
  return effectOfAnswer(status, grpcStatus, headers['x-envoy-ratelimited'] !== undefined);
}

function endOf(status: number, grpcStatus: number | undefined): { readonly status: number; readonly grpcStatus?: number } {
  return grpcStatus === undefined ? { status } : { status, grpcStatus };
}
