/**
 * Requests that ask for another protocol (RFC 9110 section 7.8), such as WebSocket: once, to one endpoint, then bytes.
 *
 *   let in ─▶ lease ─▶ 101 from the endpoint ─▶ 101 to the caller ─▶ bytes both ways
 *                 └─▶ any other answer, forwarded as it is
 */
import { ServerResponse } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Workload } from '@clearmesh/shared/model/workload';
import { relay } from '@clearmesh/shared/net/relay';
import type { SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import type { ConnectHeaders } from '@clearmesh/shared/tunnel/engine';
import { writeAnswer } from '../accept/answer-writer.ts';
import type { ForwardedHeaders } from '../accept/request-headers.ts';
import { failureTable } from '../exchange/failure.ts';
import type { Failure } from '../exchange/failure.ts';
import type { Backends } from '../forward/backends.ts';
import type { EndpointFinder } from '../forward/endpoints.ts';
import type { UpgradeLease, UpgradeRequest } from '../forward/upgrade-lease.ts';
import type { UpstreamRequest } from '../forward/upstream.ts';
import type { WireUpstream } from '../forward/wire-upstream.ts';
import type { ForwardDecision } from '../route/route-decision.ts';
import { answerFields } from './answer-fields.ts';
import { backendOf } from './backend.ts';
import { connectBaggage } from './connect-baggage.ts';
import type { ExchangeEnd } from './exchange.ts';
import { endWithFailure, endWithUnwritable } from './failure-end.ts';
import { forwardedRequest } from './forwarded-request.ts';
import type { Admitted, Forward } from './http-path.ts';

export type UpgradingDeps = {
  readonly backends: Backends;
  readonly finder: EndpointFinder;
  readonly snapshots: SnapshotSource;
  readonly own: () => Workload;
  readonly wire: WireUpstream;
  readonly clock: Clock;
  /** Aborts when nothing may go on any more: the end of the drain. */
  readonly forced: AbortSignal;
};

export class Upgrading {
  readonly #deps: UpgradingDeps;

  constructor(deps: UpgradingDeps) {
    this.#deps = deps;
  }

  /** What becomes of one such request, for {@link HttpPath.serve}. */
  of(request: IncomingMessage, stream: Duplex, head: Buffer): Forward {
    return async (admitted, decision) => ({ kind: 'ended', end: await this.#forward(admitted, decision, request, stream, head) });
  }

  async #forward(
    admitted: Admitted,
    decision: ForwardDecision,
    raw: IncomingMessage,
    stream: Duplex,
    head: Buffer,
  ): Promise<ExchangeEnd> {
    const { exchange, service, permitted, conversation, response } = admitted;
    const { backends, finder, snapshots, own, wire, forced } = this.#deps;
    const { request: facts } = permitted.permit;
    const { key, endpoints } = backendOf(decision.backend, 'upgrade', conversation.workload, snapshots.current, own(), finder);
    const forwarded = forwardedRequest(facts, decision);
    const protocol = raw.headers.upgrade ?? '';
    let connect: ConnectHeaders = {};
    const asked: UpgradeRequest = {
      policy: service.forwardPolicy(decision),
      route: `${decision.route ?? ''} ${decision.rule ?? ''}`,
      endpoints,
      headers: forwarded.headers,
      onAttempt: (endpoint, attempt, headers) => {
        const traced = exchange.trace.startAttempt(endpoint, attempt);
        Object.assign(headers, traced.headers);
        connect = { traceparent: traced.traceparent, baggage: connectBaggage(facts, this.#deps) };
        return { end: (outcome) => traced.end(outcome) };
      },
    };
    const lease = backends.of(key).lease(asked);
    if (lease.kind === 'failed') return endWithFailure(exchange, response, lease.failure, 'not-dispatched');
    exchange.attempts = 1;
    exchange.endpoint = lease.endpoint;
    const sent: UpstreamRequest = { ...forwarded, caller: facts.caller.identity, connect };
    const outcome = await wire.upgrade(lease.endpoint, sent, protocol, AbortSignal.any([admitted.gone.signal, forced]));
    if (outcome.kind === 'upgraded')
      return this.#relay(admitted, decision, { near: stream, far: outcome.stream, head }, outcome.headers, lease);
    if (outcome.kind === 'failed') {
      lease.fail(outcome.failure);
      return endWithFailure(exchange, response, outcome.failure, failureTable[outcome.failure.kind].outcome);
    }
    const { answer } = outcome;
    lease.recvAnswer(answer.status);
    lease.end();
    const written = await writeAnswer(
      response,
      { ...answer, headers: answerFields(admitted, decision, answer.headers), trailers: () => answer.trailers() },
      (count) => {
        exchange.bytesOut += count;
      },
    );
    if (written.kind === 'unwritable') return endWithUnwritable(exchange, response, lease.endpoint, written.error);
    return { status: answer.status, flag: written.kind === 'complete' ? '-' : 'DC', outcome: 'completed' };
  }

  async #relay(
    admitted: Admitted,
    decision: ForwardDecision,
    { near, far, head }: { readonly near: Duplex; readonly far: Duplex; readonly head: Buffer },
    headers: Readonly<Record<string, string | readonly string[]>>,
    lease: UpgradeLease,
  ): Promise<ExchangeEnd> {
    const { exchange, response, raw } = admitted;
    lease.recvAnswer(101);
    if (response instanceof ServerResponse) response.detachSocket(near as never);
    near.write(switchingProtocols(answerFields(admitted, decision, headers), headers['upgrade'] ?? raw.headers.upgrade));
    if (head.length > 0) near.unshift(head);
    near.on('data', (chunk: Buffer) => (exchange.bytesIn += chunk.length));
    far.on('data', (chunk: Buffer) => (exchange.bytesOut += chunk.length));
    const end = await relay(near, far, this.#deps, this.#deps.forced);
    const failure: Failure | undefined =
      end.kind === 'broken' && end.side === 'far' ? { kind: 'reset-in-answer', detail: end.error.message } : undefined;
    if (failure === undefined) lease.end();
    else lease.fail(failure);
    return { status: 101, flag: failure === undefined ? '-' : 'UC', outcome: 'completed', failure };
  }
}

/** A response for a request whose stream the server has let go of. */
export function responseFor(request: IncomingMessage, stream: Duplex): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(stream as never);
  response.once('finish', () => stream.end());
  return response;
}

function switchingProtocols(headers: ForwardedHeaders, protocol: string | readonly string[] = ''): string {
  const fields = Object.entries({ ...headers, connection: 'upgrade', upgrade: protocol });
  const lines = fields.flatMap(([name, value]) => (typeof value === 'string' ? [value] : value).map((one) => `${name}: ${one}`));
  return `HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`;
}
