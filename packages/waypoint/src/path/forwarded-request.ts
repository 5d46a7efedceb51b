/** The request as it goes on to an endpoint, from facts, what policy changed and what the route says. */
import { forwardedHeaders } from '../accept/request-headers.ts';
import type { RequestFacts } from '../exchange/request-facts.ts';
import { changeHeaders } from '../route/header-changes.ts';
import type { ForwardDecision } from '../route/route-decision.ts';
import { traceHeaderNames } from '../telemetry/tracing/trace-context.ts';

export type ForwardedRequest = {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  /** Owned by whoever gets it. */
  readonly headers: Record<string, string | readonly string[]>;
};

export function forwardedRequest(facts: RequestFacts, decision: ForwardDecision): ForwardedRequest {
  const headers = forwardedHeaders(facts.headers, facts.grpc, traceHeaderNames);
  headers['x-request-id'] = facts.id;
  if (decision.requestHeaders.length > 0) changeHeaders(headers, decision.requestHeaders);
  const path = facts.query === '' ? decision.path : `${decision.path}?${facts.query}`;
  return { method: facts.method, path, authority: decision.authority, headers };
}
