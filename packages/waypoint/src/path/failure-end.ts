import { failureAnswer, writeLocal } from '../accept/answer-writer.ts';
import type { RawResponse } from '../accept/http-front.ts';
import { failureTable } from '../exchange/failure.ts';
import type { Failure, Outcome } from '../exchange/failure.ts';
import type { UpstreamEndpoint } from '../forward/upstream.ts';
import type { Exchange, ExchangeEnd } from './exchange.ts';

/** Answers with a failure, unless an answer has begun. */
export function endWithFailure(exchange: Exchange, response: RawResponse, failure: Failure, outcome: Outcome): ExchangeEnd {
  const { facts } = exchange;
  const row = failureTable[failure.kind];
  const answer = failureAnswer(failure, { grpc: facts.grpc, id: facts.id, outcome });
  const status = failure.kind === 'caller-gone' ? 0 : answer.status;
  if (!response.headersSent) {
    writeLocal(response, answer);
    exchange.bytesOut += Buffer.byteLength(answer.body);
  }
  return {
    status,
    grpcStatus: facts.grpc ? (failure.grpcStatus ?? row.grpcStatus) : undefined,
    flag: row.flag,
    outcome,
    failure,
  };
}

/** The service answered what cannot be said in the caller's protocol. */
export function endWithUnwritable(
  exchange: Exchange,
  response: RawResponse,
  endpoint: Pick<UpstreamEndpoint, 'name'>,
  error: Error,
): ExchangeEnd {
  const detail = `the answer of endpoint ${endpoint.name} cannot be passed on: ${error.message}`;
  return endWithFailure(exchange, response, { kind: 'bad-answer', detail }, 'unknown');
}
