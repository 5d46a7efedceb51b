/** One exchange as it goes on: what is known of it by and by, and told once at its end. */
import type { Failure, Outcome, ResponseFlag } from '../exchange/failure.ts';
import type { RequestFacts } from '../exchange/request-facts.ts';
import type { UpstreamEndpoint } from '../forward/upstream.ts';
import type { AccessPolicy } from '../telemetry/access/access-line.ts';
import type { RequestTrace } from '../telemetry/tracing/request-trace.ts';

/** Written by the path alone; everybody else gets values. */
export type Exchange = {
  readonly facts: RequestFacts;
  readonly trace: RequestTrace;
  /** Template of the route. */
  route?: string;
  attempts: number;
  endpoint?: UpstreamEndpoint;
  bytesIn: number;
  bytesOut: number;
  authzMs?: number;
  upstreamMs?: number;
  policy?: AccessPolicy;
  rateLimit?: string;
  /** Of what happened on the way, where the end itself has none. */
  flag?: ResponseFlag;
  faultId?: string;
};

/** How an exchange ended. */
export type ExchangeEnd = {
  /** 0: no answer. */
  readonly status: number;
  readonly grpcStatus?: number | undefined;
  readonly flag: ResponseFlag;
  readonly outcome: Outcome;
  readonly failure?: Failure | undefined;
};

export function openExchange(facts: RequestFacts, trace: RequestTrace): Exchange {
  return { facts, trace, attempts: 0, bytesIn: 0, bytesOut: 0 };
}
