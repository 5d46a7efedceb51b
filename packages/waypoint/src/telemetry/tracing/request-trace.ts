/**
 * The trace of one request (l7-and-resilience B13).
 *
 *   RequestFacts ─▶ SERVER span ─┬─▶ CLIENT span of attempt 1 ─▶ headers of attempt 1
 *                                └─▶ CLIENT span of attempt 2 ─▶ headers of attempt 2
 *
 * T1  Every request has a trace id, and every attempt a valid `traceparent`, whether or not spans are recorded.
 * T2  Nothing of the query, a body, a cookie or a credential gets into a span; paths are scrubbed of card numbers.
 * T3  A span ends once; ending it again changes nothing. Spans that nobody collects are dropped and counted.
 */
import type { FailureKind, ResponseFlag } from '../../exchange/failure.ts';
import type { RequestFacts } from '../../exchange/request-facts.ts';
import type { UpstreamEndpoint } from '../../forward/upstream.ts';

/** How a request or an attempt ended, as spans tell it. */
export type SpanOutcome = {
  /** HTTP status; absent when there was no answer. */
  readonly status?: number | undefined;
  readonly grpcStatus?: number | undefined;
  readonly failure?: FailureKind | undefined;
};

export type RequestOutcome = SpanOutcome & {
  /** A template with few values, such as the path of the match that won; never the path of the request. */
  readonly route?: string | undefined;
  readonly flag: ResponseFlag;
  /** Which object decided, where a refusal has one. */
  readonly policy?: string | undefined;
};

export interface AttemptTrace {
  /** Replaces every header of `traceHeaderNames` on the request to the endpoint. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of this attempt, for the CONNECT that carries it. */
  readonly traceparent: string;
  end(outcome: SpanOutcome): void;
}

export interface RequestTrace {
  /** 32 hexadecimal digits; for the access log. */
  readonly traceId: string;
  /** Of the SERVER span. */
  readonly traceparent: string;
  /** @param attempt counts from 1 */
  startAttempt(endpoint: UpstreamEndpoint, attempt: number): AttemptTrace;
  end(outcome: RequestOutcome): void;
}

export interface RequestTracer {
  start(facts: RequestFacts): RequestTrace;
}
