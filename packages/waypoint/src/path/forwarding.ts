/**
 * From a routed request to the end of its answer: key, fault, dispatch, answer.
 *
 * F1  A key is claimed before anything is dispatched, and told how it ended before the caller is (C1).
 * F2  A fault is injected after policy, and is nobody's failure (C6).
 * F3  What breaks after the head breaks the answer off, so that nobody takes a part for the whole.
 */
import type { Readable } from 'node:stream';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { IdempotencyPolicy } from '@clearmesh/shared/model/l7/resilience';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import { breakOff, writeAnswer, writeLocal } from '../accept/answer-writer.ts';
import type { WriteEnd } from '../accept/answer-writer.ts';
import { failureTable } from '../exchange/failure.ts';
import type { Failure, Outcome } from '../exchange/failure.ts';
import type { LightSignal } from '../exchange/light-signal.ts';
import type { Refused } from '../exchange/stage.ts';
import { streamOf } from '../exchange/answer-body.ts';
import type { Backends } from '../forward/backends.ts';
import type { AttemptObserver, DispatchedAnswer, DispatchRequest, MutableHeaders } from '../forward/dispatch-request.ts';
import type { EndpointFinder } from '../forward/endpoints.ts';
import type { UpstreamBody, UpstreamEndpoint } from '../forward/upstream.ts';
import { grpcStatusOf } from '../forward/verdict.ts';
import type { ForwardDecision } from '../route/route-decision.ts';
import type { ActiveFault, FaultInjector } from '../shape/fault-injector.ts';
import { bufferBody } from '../shape/idempotency-body.ts';
import { captureAnswer } from '../shape/idempotency-capture.ts';
import { idempotencyKeyOf } from '../shape/idempotency-key.ts';
import type { IdempotencyTicket } from '../shape/idempotency-ticket.ts';
import type { Idempotency } from '../shape/idempotency.ts';
import type { WaypointMetrics } from '../telemetry/metrics/waypoint-metrics.ts';
import { answerFields } from './answer-fields.ts';
import { backendOf } from './backend.ts';
import { connectBaggage } from './connect-baggage.ts';
import type { Exchange, ExchangeEnd } from './exchange.ts';
import { forwardedRequest } from './forwarded-request.ts';
import { endWithFailure, endWithUnwritable } from './failure-end.ts';
import type { Admitted } from './http-path.ts';
import { mirror } from './mirror.ts';
import { announcedBytes, countBytes } from './request-body.ts';

export type ForwardingDeps = {
  readonly backends: Backends;
  readonly finder: EndpointFinder;
  readonly snapshots: SnapshotSource;
  /** The waypoint's own workload: nearness is judged from there. */
  readonly own: () => Workload;
  readonly idempotency: Idempotency;
  readonly faults: FaultInjector;
  readonly metrics: Pick<WaypointMetrics, 'idempotencyDecided' | 'faultInjected'>;
  /** Aborts when nothing may go on any more: the end of the drain. */
  readonly forced: AbortSignal;
  readonly clock: Clock;
};

type Ended = { readonly kind: 'ended'; readonly end: ExchangeEnd };

/** The body as it is dispatched, and whose outcome must be kept. */
type Claimed = { readonly kind: 'claimed'; readonly body: UpstreamBody; readonly ticket: IdempotencyTicket | undefined };

export class Forwarding {
  readonly #deps: ForwardingDeps;

  constructor(deps: ForwardingDeps) {
    this.#deps = deps;
  }

  /** Rejects with the signal's reason only. */
  forward(admitted: Admitted, decision: ForwardDecision): Refused | Promise<Ended | Refused> {
    const tooLarge = announcedTooLarge(admitted);
    if (tooLarge !== undefined) return tooLarge;
    const claimed = this.#claim(admitted, decision);
    if (claimed instanceof Promise) return this.#goOnWhenClaimed(claimed, admitted, decision);
    return claimed.kind === 'refused' ? claimed : this.#goOn(admitted, decision, claimed);
  }

  async #goOnWhenClaimed(
    claiming: Promise<Claimed | Ended | Refused>,
    admitted: Admitted,
    decision: ForwardDecision,
  ): Promise<Ended | Refused> {
    const claimed = await claiming;
    return claimed.kind === 'claimed' ? this.#goOn(admitted, decision, claimed) : claimed;
  }

  #goOn(admitted: Admitted, decision: ForwardDecision, claimed: Claimed): Promise<Ended | Refused> {
    const { service, plan, permitted } = admitted;
    const scene = { environment: plan.environment, class: service.resilience.class };
    const fault = this.#deps.faults.begin(service.faults, permitted.permit.request, scene);
    if (fault === undefined) return this.#dispatch(admitted, decision, claimed, undefined);
    return this.#goOnWithFault(admitted, decision, claimed, fault);
  }

  async #goOnWithFault(
    admitted: Admitted,
    decision: ForwardDecision,
    claimed: Claimed,
    begun: ActiveFault,
  ): Promise<Ended | Refused> {
    using fault = begun;
    admitted.exchange.faultId = fault.experiment;
    return (await this.#suffer(admitted, fault, claimed.ticket)) ?? (await this.#dispatch(admitted, decision, claimed, fault));
  }

  /** At once, unless there is a key. */
  #claim(admitted: Admitted, decision: ForwardDecision): Claimed | Refused | Promise<Claimed | Ended | Refused> {
    const { service, permitted, body, exchange } = admitted;
    const { idempotency: policy } = service;
    const key = idempotencyKeyOf(policy, permitted.permit.request);
    if (key.kind === 'refused') return key;
    const taken = body?.take();
    if (key.kind === 'keyed' && policy !== undefined) return this.#claimKey(admitted, decision, { policy, key: key.key }, taken);
    if (taken !== undefined && !Buffer.isBuffer(taken)) countBytes(taken, (count) => (exchange.bytesIn += count));
    return { kind: 'claimed', body: taken, ticket: undefined };
  }

  /** C1: a keyed request is read whole, claimed, and goes on only as its first dispatch. */
  async #claimKey(
    { permitted, raw, gone, exchange, response }: Admitted,
    decision: ForwardDecision,
    claim: { readonly policy: IdempotencyPolicy; readonly key: string },
    taken: Readable | Buffer | undefined,
  ): Promise<Claimed | Ended | Refused> {
    const { request } = permitted.permit;
    const buffered = await wholeBody(taken, announcedBytes(raw), gone.signal);
    if (buffered.kind === 'refused') return buffered;
    exchange.bytesIn = buffered.body.length;
    const keyed = { ...claim, route: decision.template, body: buffered.body };
    const begun = await this.#deps.idempotency.begin(request, keyed);
    this.#deps.metrics.idempotencyDecided(begun.kind === 'refused' ? begun.failure.kind : begun.kind);
    if (begun.kind === 'refused') return begun;
    if (begun.kind === 'proceed') return { kind: 'claimed', body: buffered.body, ticket: begun.ticket };
    writeLocal(response, { ...begun.answer, headers: { ...begun.answer.headers, 'x-request-id': exchange.facts.id } });
    exchange.bytesOut += Buffer.byteLength(begun.answer.body);
    return { kind: 'ended', end: { status: begun.answer.status, flag: '-', outcome: 'completed' } };
  }

  /** The end that the fault makes, if it makes one. */
  async #suffer(
    admitted: Admitted,
    fault: ActiveFault,
    ticket: IdempotencyTicket | undefined,
  ): Promise<Ended | Refused | undefined> {
    const step = await fault.before(admitted.gone.signal);
    if (step.kind === 'continue') {
      this.#deps.metrics.faultInjected(fault.experiment, fault.flag === 'DI' ? 'delay' : 'throttle');
      return undefined;
    }
    await ticket?.notDispatched();
    if (step.kind === 'aborted') throw admitted.gone.reason;
    this.#deps.metrics.faultInjected(fault.experiment, step.kind === 'refused' ? 'abort' : 'reset');
    if (step.kind === 'refused') return step;
    breakOff(admitted.response);
    const { flag, outcome } = failureTable[step.failure.kind];
    return { kind: 'ended', end: { status: 0, flag, outcome, failure: step.failure } };
  }

  async #dispatch(
    admitted: Admitted,
    decision: ForwardDecision,
    { body, ticket }: Claimed,
    fault: ActiveFault | undefined,
  ): Promise<Ended> {
    const { exchange, gone, response } = admitted;
    const { clock, backends, forced } = this.#deps;
    const { key, endpoints } = this.#backend(admitted, decision);
    const startedMs = clock.monotonicMs();
    // P4 of the path.
    const signal = ticket === undefined ? gone : forced;
    const request = this.#request(admitted, decision, endpoints, body);
    for (const copy of decision.mirrors) mirror(request, this.#mirrored(admitted, copy), backends);
    const result = await backends.of(key).dispatch(request, signal);
    exchange.upstreamMs = clock.monotonicMs() - startedMs;
    exchange.attempts = result.attempts;
    if (result.endpoint !== undefined) exchange.endpoint = result.endpoint;
    if (result.kind === 'answer') {
      return { kind: 'ended', end: await this.#answer(admitted, decision, result, { ticket, fault, signal }) };
    }
    await (result.outcome === 'not-dispatched' ? ticket?.notDispatched() : ticket?.unknown());
    const end = endWithFailure(exchange, response, result.failure, outcomeOf(result.outcome, exchange));
    return { kind: 'ended', end: { ...end, flag: result.flag === '-' ? end.flag : result.flag } };
  }

  #backend(admitted: Admitted, decision: ForwardDecision): ReturnType<typeof backendOf> {
    const { snapshots, own, finder } = this.#deps;
    const { exchange, conversation } = admitted;
    return backendOf(decision.backend, exchange.facts.protocol, conversation.workload, snapshots.current, own(), finder);
  }

  #mirrored({ exchange }: Admitted, copy: ForwardDecision['backend']): ReturnType<typeof backendOf> {
    const { snapshots, own, finder } = this.#deps;
    return backendOf(copy, exchange.facts.protocol, undefined, snapshots.current, own(), finder);
  }

  #request(
    admitted: Admitted,
    decision: ForwardDecision,
    endpoints: readonly UpstreamEndpoint[],
    body: UpstreamBody,
  ): DispatchRequest {
    const { service, permitted, exchange } = admitted;
    const { request } = permitted.permit;
    return {
      ...forwardedRequest(request, decision),
      policy: service.forwardPolicy(decision),
      route: `${decision.route ?? ''} ${decision.rule ?? ''}`,
      endpoints,
      grpc: request.grpc,
      caller: request.caller.identity,
      body,
      startedMs: request.startedMs,
      onAttempt: (endpoint, attempt, headers) => this.#observe(exchange, endpoint, attempt, headers),
    };
  }

  #observe({ trace, facts }: Exchange, endpoint: UpstreamEndpoint, attempt: number, headers: MutableHeaders): AttemptObserver {
    const traced = trace.startAttempt(endpoint, attempt);
    for (const name in traced.headers) headers[name] = traced.headers[name] ?? '';
    return {
      connect: { traceparent: traced.traceparent, baggage: connectBaggage(facts, this.#deps) },
      end: (outcome) => traced.end(outcome),
    };
  }

  async #answer(
    admitted: Admitted,
    decision: ForwardDecision,
    dispatched: DispatchedAnswer,
    kept: {
      readonly ticket: IdempotencyTicket | undefined;
      readonly fault: ActiveFault | undefined;
      readonly signal: LightSignal;
    },
  ): Promise<ExchangeEnd> {
    const { exchange, response } = admitted;
    const { answer } = dispatched;
    const { ticket, fault, signal } = kept;
    const headers = answerFields(admitted, decision, answer.headers, fault?.headers);
    const captured = ticket === undefined ? answer.body : captureAnswer(answer, ticket, signal);
    const body = fault === undefined ? captured : fault.paced(streamOf(captured));
    const written = await writeAnswer(response, { ...answer, headers, body, trailers: () => answer.trailers() }, (count) => {
      exchange.bytesOut += count;
    });
    const ended = await dispatched.ended;
    if (written.kind === 'unwritable') return endWithUnwritable(exchange, response, dispatched.endpoint, written.error);
    return endOfAnswer(exchange, dispatched, written, ended.kind === 'failed' ? ended.failure : undefined, fault);
  }
}

/** A body that says how large it is need not be begun; one that does not is broken off on its way. */
function announcedTooLarge({ raw, service }: Admitted): Refused | undefined {
  const { maxRequestBytes = Infinity } = service.resilience.limits;
  const announced = announcedBytes(raw);
  if (announced <= maxRequestBytes) return undefined;
  const detail = `the body has ${announced} bytes, and may have ${maxRequestBytes}`;
  return { kind: 'refused', failure: { kind: 'body-too-large', detail } };
}

function endOfAnswer(
  { facts }: Exchange,
  { answer, flag }: DispatchedAnswer,
  written: WriteEnd,
  failure: Failure | undefined,
  fault: ActiveFault | undefined,
): ExchangeEnd {
  const grpcStatus = facts.grpc ? grpcStatusOf(answer.trailers()['grpc-status'] ?? answer.headers['grpc-status']) : undefined;
  if (written.kind === 'complete') {
    return { status: answer.status, grpcStatus, flag: fault?.flag ?? flag, outcome: 'completed' };
  }
  const broken = failure ?? {
    kind: written.kind === 'broken' ? 'reset-in-answer' : 'caller-gone',
    detail: 'the answer was not delivered whole',
  };
  // The service answered; what became of the answer does not undo what it did.
  return { status: answer.status, grpcStatus, flag: failureTable[broken.kind].flag, outcome: 'completed', failure: broken };
}

/** A failure that the exchange's own end makes certain: nothing was sent at all. */
function outcomeOf(outcome: Outcome, { attempts }: Exchange): Outcome {
  return attempts === 0 ? 'not-dispatched' : outcome;
}

async function wholeBody(
  taken: Readable | Buffer | undefined,
  announcedBytes: number,
  signal: AbortSignal,
): Promise<{ readonly kind: 'body'; readonly body: Buffer } | Refused> {
  if (taken === undefined) return { kind: 'body', body: Buffer.alloc(0) };
  return Buffer.isBuffer(taken) ? { kind: 'body', body: taken } : bufferBody(taken, { announcedBytes }, signal);
}
