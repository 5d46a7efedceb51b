/** What spans say, as pure functions; names and rules of OpenTelemetry's HTTP and gRPC conventions (semantic-conventions 1.45). */
import { SpanStatusCode } from '@opentelemetry/api';
import type { Attributes } from '@opentelemetry/api';
import {
  ATTR_CLIENT_ADDRESS,
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_REQUEST_METHOD_ORIGINAL,
  ATTR_HTTP_REQUEST_RESEND_COUNT,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_NETWORK_PEER_ADDRESS,
  ATTR_NETWORK_PEER_PORT,
  ATTR_NETWORK_PROTOCOL_VERSION,
  ATTR_RPC_METHOD,
  ATTR_RPC_STATUS_CODE,
  ATTR_RPC_SYSTEM_NAME,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  ATTR_URL_FULL,
  ATTR_URL_PATH,
  ATTR_URL_SCHEME,
  ATTR_USER_AGENT_ORIGINAL,
} from '@opentelemetry/semantic-conventions';
import type { RequestFacts } from '../../exchange/request-facts.ts';
import { headerOf } from '../../exchange/request-facts.ts';
import type { UpstreamEndpoint } from '../../forward/upstream.ts';
import { scrubPath } from '../scrub-path.ts';
import { clientErrors, grpcStatusName, serverErrors } from './grpc-status.ts';
import type { RequestOutcome, SpanOutcome } from './request-trace.ts';

/** RFC 9110, RFC 5789 and RFC 10008: anything else is `_OTHER`, since callers could invent a name a request. */
const knownMethods = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY', 'TRACE']);

/** `/package.Service/Method` (gRPC over HTTP/2, "Path"). */
const grpcPath = /^\/([\w.]+\/\w+)$/;

const other = '_OTHER';
const longestMethod = 32;
const longestUserAgent = 256;

/** The name until the route is known. */
export function spanName(facts: RequestFacts, route?: string): string {
  if (facts.grpc) return grpcPath.exec(facts.path)?.[1] ?? 'grpc';
  const method = knownMethods.has(facts.method) ? facts.method : 'HTTP';
  return route === undefined ? method : `${method} ${route}`;
}

/** Of the SERVER span, when it starts. */
export function requestAttributes(facts: RequestFacts): Attributes {
  const { caller, called } = facts;
  const userAgent = headerOf(facts.headers, 'user-agent');
  return {
    ...callAttributes(facts),
    [ATTR_URL_PATH]: scrubPath(facts.path),
    // Inside the tunnel; the tunnel itself is always TLS.
    [ATTR_URL_SCHEME]: 'http',
    [ATTR_NETWORK_PEER_ADDRESS]: caller.address.ip,
    [ATTR_NETWORK_PEER_PORT]: caller.address.port,
    [ATTR_NETWORK_PROTOCOL_VERSION]: versionOf(facts.protocol),
    [ATTR_CLIENT_ADDRESS]: (caller.client ?? caller.address).ip,
    [ATTR_SERVER_ADDRESS]: called.hostname,
    [ATTR_SERVER_PORT]: called.port,
    'clearmesh.caller': caller.identity,
    'clearmesh.request_id': facts.id,
    ...(userAgent === undefined ? {} : { [ATTR_USER_AGENT_ORIGINAL]: userAgent.slice(0, longestUserAgent) }),
  };
}

/** Of a CLIENT span, when it starts. @param attempt counts from 1 */
export function attemptAttributes(facts: RequestFacts, endpoint: UpstreamEndpoint, attempt: number): Attributes {
  return {
    ...callAttributes(facts),
    // Without userinfo and query: both hold secrets.
    [ATTR_URL_FULL]: `http://${facts.authority.slice(facts.authority.lastIndexOf('@') + 1)}${scrubPath(facts.path)}`,
    [ATTR_NETWORK_PEER_ADDRESS]: endpoint.address.ip,
    [ATTR_NETWORK_PEER_PORT]: endpoint.address.port,
    [ATTR_NETWORK_PROTOCOL_VERSION]: versionOf(endpoint.protocol),
    [ATTR_SERVER_ADDRESS]: facts.called.hostname,
    [ATTR_SERVER_PORT]: facts.called.port,
    'clearmesh.endpoint': endpoint.name,
    ...(attempt > 1 ? { [ATTR_HTTP_REQUEST_RESEND_COUNT]: attempt - 1 } : {}),
  };
}

/** Of either span, when it ends. */
export function outcomeAttributes(facts: RequestFacts, outcome: SpanOutcome, kind: 'server' | 'client'): Attributes {
  const { status, grpcStatus } = outcome;
  return {
    ...(status === undefined ? {} : { [ATTR_HTTP_RESPONSE_STATUS_CODE]: status }),
    ...(facts.grpc && grpcStatus !== undefined ? { [ATTR_RPC_STATUS_CODE]: grpcStatusName(grpcStatus) } : {}),
    ...(isError(facts, outcome, kind) ? { [ATTR_ERROR_TYPE]: errorType(facts, outcome) } : {}),
  };
}

/** What only the SERVER span can say, when it ends. */
export function decisionAttributes({ route, flag, policy }: RequestOutcome): Attributes {
  return {
    ...(route === undefined ? {} : { [ATTR_HTTP_ROUTE]: route }),
    ...(flag === '-' ? {} : { 'clearmesh.response_flags': flag }),
    ...(policy === undefined ? {} : { 'clearmesh.policy': policy }),
  };
}

/** 4xx is the caller's fault, hence an error of the CLIENT span only; a caller that gave up is nobody's. */
export function spanStatus(facts: RequestFacts, outcome: SpanOutcome, kind: 'server' | 'client'): SpanStatusCode {
  return isError(facts, outcome, kind) ? SpanStatusCode.ERROR : SpanStatusCode.UNSET;
}

function isError(facts: RequestFacts, { status, grpcStatus, failure }: SpanOutcome, kind: 'server' | 'client'): boolean {
  if (failure === 'caller-gone') return false;
  if (facts.grpc && grpcStatus !== undefined) return (kind === 'server' ? serverErrors : clientErrors).has(grpcStatus);
  if (status === undefined) return failure !== undefined;
  return status >= (kind === 'server' ? 500 : 400);
}

/** Few values: a word of the failure table, a gRPC status or an HTTP status. */
function errorType(facts: RequestFacts, { status, grpcStatus, failure }: SpanOutcome): string {
  if (failure !== undefined) return failure;
  if (facts.grpc && grpcStatus !== undefined) return grpcStatusName(grpcStatus);
  return String(status ?? other);
}

function callAttributes(facts: RequestFacts): Attributes {
  if (facts.grpc) {
    const method = grpcPath.exec(facts.path)?.[1];
    return { [ATTR_RPC_SYSTEM_NAME]: 'grpc', [ATTR_RPC_METHOD]: method ?? other };
  }
  if (knownMethods.has(facts.method)) return { [ATTR_HTTP_REQUEST_METHOD]: facts.method };
  return {
    [ATTR_HTTP_REQUEST_METHOD]: other,
    [ATTR_HTTP_REQUEST_METHOD_ORIGINAL]: facts.method.slice(0, longestMethod),
  };
}

function versionOf(protocol: 'HTTP/1.1' | 'HTTP/2'): string {
  return protocol === 'HTTP/2' ? '2' : '1.1';
}
