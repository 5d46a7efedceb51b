/** From Node's request to {@link RequestFacts}: what is malformed is refused here, before anybody decides about it. */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Failure } from '../exchange/failure.ts';
import type { RequestFacts, RequestHeaders } from '../exchange/request-facts.ts';
import type { NormalisedPath } from '@clearmesh/shared/route/normalise-path';
import type { Conversation } from './conversation.ts';
import type { RawRequest } from './http-front.ts';

export type FactsDeps = {
  readonly clock: Clock;
  readonly random: Random;
  /** Path and query that stages may rely on, or why there are none. */
  readonly normalisePath: (raw: string) => NormalisedPath;
};

export type FactsReading =
  | { readonly kind: 'facts'; readonly facts: RequestFacts }
  | { readonly kind: 'refused'; readonly facts: RequestFacts; readonly failure: Failure };

/** Always gives facts, since a refusal is answered, logged and counted like any other. */
export function readFacts(request: RawRequest, conversation: Conversation, deps: FactsDeps): FactsReading {
  const url = request.url ?? '/';
  const path = deps.normalisePath(url === '*' ? '/' : url);
  const headers = request.headers as RequestHeaders;
  const facts: RequestFacts = {
    id: requestId(headers, deps.random),
    caller: conversation.caller,
    called: conversation.called,
    protocol: request.httpVersionMajor === 2 ? 'HTTP/2' : 'HTTP/1.1',
    grpc: isGrpc(headers),
    method: request.method ?? '',
    authority: path.kind === 'path' ? (path.authority ?? authorityOf(headers)) : authorityOf(headers),
    path: path.kind === 'path' ? path.path : '/',
    query: path.kind === 'path' ? path.query : '',
    headers,
    receivedAtMs: deps.clock.now(),
    startedMs: deps.clock.monotonicMs(),
  };
  const failure: Failure | undefined = path.kind === 'refused' ? badRequest(path.reason) : malformed(request);
  return failure === undefined ? { kind: 'facts', facts } : { kind: 'refused', facts, failure };
}

/** Bytes of a head in HTTP/2: until a caller has read our settings nghttp2 holds it to none of them. */
const maxHeadBytes = 32 * 1024;

/** RFC 9112 section 3.2: one Host field. Node keeps the first of several silently, so that others could see another one. */
function malformed(request: RawRequest): Failure | undefined {
  const { rawHeaders, httpVersion } = request;
  // Node reads a line without a version as HTTP/0.9, which has no header fields and no framing.
  if (httpVersion === '0.9') return badRequest('the request line has no HTTP version');
  let hosts = 0;
  let bytes = 0;
  for (let at = 0; at < rawHeaders.length; at += 1) {
    const text = rawHeaders[at] ?? '';
    bytes += text.length;
    if ((at & 1) === 0 && isHost(text)) hosts += 1;
  }
  if (bytes > maxHeadBytes)
    return { kind: 'headers-too-large', detail: `the request's head has more than ${maxHeadBytes} bytes` };
  if (hosts > 1) return badRequest('the request has more than one Host field');
  // RFC 9113 section 8.3.1: a Host field beside :authority must not differ.
  const { host, ':authority': authority } = request.headers;
  if (authority !== undefined && host !== undefined && host !== authority) return badRequest('Host and :authority differ');
  return undefined;
}

function badRequest(detail: string): Failure {
  return { kind: 'bad-request', detail };
}

function isHost(name: string): boolean {
  return name.length === 4 && name.toLowerCase() === 'host';
}

function authorityOf(headers: RequestHeaders): string {
  const authority = headers[':authority'] ?? headers['host'];
  return typeof authority === 'string' ? authority : '';
}

/** gRPC over HTTP/2: `application/grpc`, with or without a suffix; gRPC-Web is ordinary HTTP. */
function isGrpc(headers: RequestHeaders): boolean {
  const type = headers['content-type'];
  if (typeof type !== 'string' || !type.startsWith('application/grpc')) return false;
  const next = type.charAt('application/grpc'.length);
  return next === '' || next === '+' || next === ';';
}

/** A caller's own id is kept if it is short and plain, so that one search finds a request in all logs. */
function requestId(headers: RequestHeaders, random: Random): string {
  const given = headers['x-request-id'];
  if (typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given)) return given;
  const hex = random.hex(16);
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}
