/**
 * One request from its facts to the last byte of its answer (l7-and-resilience B1).
 *
 *   facts ─▶ tokens ─▶ route (pure) ─▶ local limits ─▶ DENY, OPA, ALLOW ─▶ global limits
 *         ─▶ redirect | no route ─▶ idempotency ─▶ fault ─▶ dispatch ─▶ answer
 *
 * P1  Every request is answered, and reported exactly once, whatever becomes of it.
 * P2  What is refused before dispatch never touches breaker, endpoints or EWMA (failure table).
 * P3  An exchange keeps the plan it began with; a new configuration is for the next one.
 * P4  A keyed request goes on when its caller leaves: its outcome must become known (C1).
 */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import { normalisePath } from '@clearmesh/shared/route/normalise-path';
import { breakOff, writeLocal } from '../accept/answer-writer.ts';
import { onCallerGone } from '../accept/caller-presence.ts';
import type { Conversation } from '../accept/conversation.ts';
import type { RawRequest, RawResponse } from '../accept/http-front.ts';
import { readFacts } from '../accept/request-facts.ts';
import type { Authenticated, Authoriser } from '../authorise/authorise.ts';
import type { Authorisers } from '../authorise/authorisers.ts';
import { PeekableBody } from '../authorise/body-access.ts';
import type { BodyAccess } from '../authorise/body-access.ts';
import type { Denied, Permitted } from '../authorise/permit.ts';
import { changedRequest } from '../authorise/request-view.ts';
import { failureTable } from '../exchange/failure.ts';
import type { Failure } from '../exchange/failure.ts';
import { LightController } from '../exchange/light-signal.ts';
import type { LocalAnswer, Refused } from '../exchange/stage.ts';
import type { ForwardDecision, RouteDecision } from '../route/route-decision.ts';
import { joinedHeaders } from '../shape/rate-limit-fields.ts';
import type { RateLimiter, RateLimitAllowed, RateLimitOutcome } from '../shape/rate-limit.ts';
import type { WaypointMetrics } from '../telemetry/metrics/waypoint-metrics.ts';
import type { RequestTracer } from '../telemetry/tracing/request-trace.ts';
import { endWithFailure } from './failure-end.ts';
import { openExchange } from './exchange.ts';
import type { Exchange, ExchangeEnd } from './exchange.ts';
import { reportEnd } from './exchange-report.ts';
import type { ReportDeps } from './exchange-report.ts';
import type { Forwarding } from './forwarding.ts';
import { bodyOf } from './request-body.ts';
import type { ServicePlan, WaypointPlan } from './service-plan.ts';

export type HttpPathDeps = ReportDeps & {
  readonly plan: () => WaypointPlan;
  readonly tracer: RequestTracer;
  readonly authorisers: Pick<Authorisers, 'of'>;
  readonly limiter: RateLimiter;
  readonly forwarding: Forwarding;
  readonly metrics: WaypointMetrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** True once no new request is wanted on a connection. */
  readonly isDraining: () => boolean;
};

/** What a request on its way needs. */
export type Under = {
  readonly exchange: Exchange;
  readonly raw: RawRequest;
  readonly response: RawResponse;
  readonly conversation: Conversation;
  readonly plan: WaypointPlan;
  /** Aborts when the caller is gone. */
  readonly gone: LightController;
};

/** Let in: by whom, and where it goes. */
export type Admitted = Under & {
  readonly service: ServicePlan;
  readonly permitted: Permitted;
  readonly limited: RateLimitAllowed;
  readonly body: PeekableBody | undefined;
};

/** Carries an admitted request to its end; rejects with the signal's reason only. */
export type Forward = (admitted: Admitted, decision: ForwardDecision) => Refused | Promise<Answered | Refused>;

type Admission = Refused | { readonly kind: 'admitted'; readonly admitted: Admitted };

type Answered = { readonly kind: 'ended'; readonly end: ExchangeEnd };

export class HttpPath {
  readonly #deps: HttpPathDeps;
  #active = 0;

  constructor(deps: HttpPathDeps) {
    this.#deps = deps;
  }

  /** Requests under way. */
  get active(): number {
    return this.#active;
  }

  /** Takes a request over; never throws. @param forward what becomes of it once it is let in */
  serve(raw: RawRequest, response: RawResponse, conversation: Conversation, forward: Forward = this.#forward): void {
    this.#active += 1;
    void this.#carry(raw, response, conversation, forward).finally(() => (this.#active -= 1));
  }

  readonly #forward: Forward = (admitted, decision) => this.#deps.forwarding.forward(admitted, decision);

  async #carry(raw: RawRequest, response: RawResponse, conversation: Conversation, forward: Forward): Promise<void> {
    const { clock, random, tracer, plan } = this.#deps;
    const reading = readFacts(raw, conversation, { clock, random, normalisePath });
    const exchange = openExchange(reading.facts, tracer.start(reading.facts));
    const gone = new LightController();
    const unwatch = onCallerGone(response, () => gone.abort(new Error('the caller is gone')));
    // A stream's error is told by its close; without a listener it would end the process.
    response.on('error', ignore);
    raw.on('error', ignore);
    if (this.#deps.isDraining() && exchange.facts.protocol === 'HTTP/1.1') response.setHeader('connection', 'close');
    const under: Under = { exchange, raw, response, conversation, plan: plan(), gone };
    try {
      const outcome = reading.kind === 'refused' ? reading : await this.#admitAndForward(under, forward);
      const end = outcome.kind === 'ended' ? outcome.end : this.#refuse(under, outcome.failure);
      reportEnd(exchange, end, this.#deps);
    } catch (thrown) {
      this.#recvThrown(under, thrown);
    } finally {
      unwatch();
    }
  }

  async #admitAndForward(under: Under, forward: Forward): Promise<Answered | Refused> {
    const { exchange, plan, gone } = under;
    const { facts } = exchange;
    const service = plan.plan(facts.called.key);
    const authoriser = this.#deps.authorisers.of(facts.called.key);
    if (service === undefined || authoriser === undefined) return noService(facts.called.hostname);
    const tokens = authoriser.authenticate(facts, gone);
    const asked = tokens instanceof Promise ? await tokens : tokens;
    if (asked.kind === 'refused') return asked;
    const decision = service.routes.route(asked.request, this.#deps.random);
    if (decision.template !== undefined) exchange.route = decision.template;
    const admission = this.#admit(under, service, authoriser, asked, decision.template);
    const admitted = admission instanceof Promise ? await admission : admission;
    if (admitted.kind === 'refused') return admitted;
    const acted = this.#act(admitted.admitted, decision, forward);
    return acted instanceof Promise ? await acted : acted;
  }

  /** Limits and policy, in B1's order; at once where nothing has to be waited for. */
  #admit(
    under: Under,
    service: ServicePlan,
    authoriser: Authoriser,
    asked: Authenticated,
    template: string | undefined,
  ): Admission | Promise<Admission> {
    const { exchange, raw, gone } = under;
    const { limiter, clock } = this.#deps;
    const local = limiter.checkLocal(service.rateLimits, asked.request, template);
    this.#noteLimits(exchange, local);
    if (local.kind === 'refused') return local;
    const source = bodyOf(raw);
    const body = source === undefined ? undefined : new PeekableBody(source);
    const startedMs = clock.monotonicMs();
    const pending = authoriser.authorise(asked, body ?? noBody, gone);
    const recvVerdict = (verdict: Permitted | Denied): Admission | Promise<Admission> => {
      exchange.authzMs = clock.monotonicMs() - startedMs;
      this.#noteVerdict(exchange, service, verdict);
      if (verdict.kind === 'refused') return verdict;
      const permitted = changed(verdict, asked);
      if (service.rateLimits.global.length > 0)
        return this.#admitGlobally({ ...under, service, permitted, limited: local, body }, asked, template);
      return { kind: 'admitted', admitted: { ...under, service, permitted, limited: local, body } };
    };
    return pending instanceof Promise ? pending.then(recvVerdict) : recvVerdict(pending);
  }

  /** After policy: what it refuses is not counted. */
  async #admitGlobally(admitted: Admitted, asked: Authenticated, template: string | undefined): Promise<Admission> {
    const { exchange, service, limited } = admitted;
    const global = await this.#deps.limiter.checkGlobal(service.rateLimits, asked.request, template);
    this.#noteLimits(exchange, global);
    if (global.kind === 'refused') return global;
    const joined = { ...global, headers: joinedHeaders(limited.headers, global.headers) };
    return { kind: 'admitted', admitted: { ...admitted, limited: joined } };
  }

  #noteVerdict(exchange: Exchange, service: ServicePlan, verdict: Permitted | Denied): void {
    this.#noteOpa(service, verdict, exchange.authzMs ?? 0);
    const { policy: name, rule, cached, revision } = verdict.decision;
    if (name !== undefined) exchange.policy = { name, rule, cached, bundleRevision: revision, shadow: shadowOf(verdict.notes) };
  }

  #act(admitted: Admitted, decision: RouteDecision, forward: Forward): Answered | Refused | Promise<Answered | Refused> {
    switch (decision.kind) {
      case 'refused':
        return decision;
      case 'redirect':
        return { kind: 'ended', end: this.#answerLocally(admitted, decision.answer) };
      case 'forward':
        return forward(admitted, decision);
    }
  }

  #answerLocally({ response, exchange }: Under, answer: LocalAnswer): ExchangeEnd {
    writeLocal(response, { ...answer, headers: { ...answer.headers, 'x-request-id': exchange.facts.id } });
    exchange.bytesOut += Buffer.byteLength(answer.body);
    return { status: answer.status, flag: '-', outcome: 'completed' };
  }

  #refuse({ exchange, response }: Under, failure: Failure): ExchangeEnd {
    const { outcome } = failureTable[failure.kind];
    return endWithFailure(exchange, response, failure, outcome);
  }

  #noteLimits(exchange: Exchange, outcome: RateLimitOutcome): void {
    const { metrics } = this.#deps;
    if (outcome.shadowed.length > 0) exchange.rateLimit = `shadow ${outcome.shadowed.join(', ')}`;
    for (const limit of outcome.shadowed) metrics.rateLimitDecided(limit, '', 'shadow-refuse');
    if (outcome.kind === 'refused') {
      const { policy = '', rule = '' } = outcome.failure;
      exchange.rateLimit = `${policy}#${rule}`;
      metrics.rateLimitDecided(policy, rule, outcome.failure.kind === 'rate-limited' ? 'refuse' : 'store-failure');
    } else if (outcome.storeFailure !== undefined) {
      exchange.rateLimit = `not counted: ${outcome.storeFailure}`;
      exchange.flag = 'RLSE';
      metrics.rateLimitDecided('', '', 'store-failure');
    }
  }

  /** Only where an OPA policy was asked, the last one of them. */
  #noteOpa({ bound }: ServicePlan, verdict: Permitted | Denied, durationMs: number): void {
    const policy = bound.opa.at(-1);
    if (policy === undefined || (verdict.kind === 'refused' && verdict.failure.kind === 'policy-denied')) return;
    const decision = verdict.kind === 'permitted' ? 'allow' : verdict.failure.kind === 'opa-denied' ? 'deny' : 'error';
    this.#deps.metrics.opaDecided({ policy, decision, cached: verdict.decision.cached, durationMs });
  }

  /** The caller left, or a defect of ours; neither may keep the exchange from its end. */
  #recvThrown(under: Under, thrown: unknown): void {
    const { exchange, response, gone } = under;
    if (gone.aborted) {
      reportEnd(
        exchange,
        endWithFailure(exchange, response, callerGone, exchange.attempts === 0 ? 'not-dispatched' : 'unknown'),
        this.#deps,
      );
      return;
    }
    const detail = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    this.#deps.logger.error('a request met a defect', { request: exchange.facts.id, error: detail });
    if (response.headersSent) breakOff(response);
    const failure: Failure = { kind: 'overloaded', detail: 'the waypoint met a defect; its log has the request id' };
    reportEnd(exchange, endWithFailure(exchange, response, failure, 'unknown'), this.#deps);
  }
}

const callerGone: Failure = { kind: 'caller-gone', detail: 'the caller left before it was answered' };

const noBody: BodyAccess = {
  peek: () => Promise.resolve({ kind: 'peeked', bytes: Buffer.alloc(0), truncated: false }),
};

/** Only what policy changed is different from what it has read. */
function changed(verdict: Permitted, asked: Authenticated): Permitted {
  const facts = changedRequest(asked.request, verdict.changes);
  return facts === asked.request ? verdict : { ...verdict, permit: { ...verdict.permit, request: facts } };
}

function noService(hostname: string): Refused {
  return { kind: 'refused', failure: { kind: 'no-route', detail: `service ${hostname} is no longer behind this waypoint` } };
}

function shadowOf(notes: Permitted['notes']): string | undefined {
  if (notes.length === 0) return undefined;
  return notes.map((note) => ('policy' in note ? `${note.outcome} ${note.policy}#${note.rule}` : note.outcome)).join(', ');
}

function ignore(): void {}
