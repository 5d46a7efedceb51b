/** The request's header fields as they may go on: without what concerns one hop, and without what the mesh alone may say (B1). */
import type { RequestHeaders } from '../exchange/request-facts.ts';

/** RFC 9110 section 7.6.1, and those that Node's clients refuse or make themselves. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'proxy-authenticate',
  'proxy-authorization',
  'expect',
  'host',
]);

/** Told by the mesh only: from the network they would claim what nobody proved. */
const reserved: readonly string[] = ['x-envoy-', 'x-mesh-', 'x-clearmesh-'];
const reservedNames: ReadonlySet<string> = new Set(['x-forwarded-client-cert', 'x-istio-attributes']);

/** The caller's deadline is no claim about anybody else; it can only make this request shorter (C10). */
const allowed: ReadonlySet<string> = new Set(['x-mesh-deadline-ms']);

const none: ReadonlySet<string> = new Set();

export type ForwardedHeaders = Record<string, string | readonly string[]>;

/**
 * A fresh record, for stages to change. gRPC keeps `te: trailers` (gRPC over HTTP/2, Requests).
 * @param replaced names that are left out too, since whoever calls says something else under them
 */
export function forwardedHeaders(headers: RequestHeaders, grpc: boolean, replaced: ReadonlySet<string> = none): ForwardedHeaders {
  const listed = connectionOptions(headers['connection']);
  const found: ForwardedHeaders = {};
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || hopByHop.has(name) || name.charCodeAt(0) === 0x3a || isReserved(name)) continue;
    if (replaced.has(name) || listed?.has(name) === true) continue;
    found[name] = value;
  }
  if (grpc) found['te'] = 'trailers';
  return found;
}

/** The answer's fields without what concerns one hop, and without what only the mesh may say. */
export function answerHeaders(headers: Readonly<Record<string, string | readonly string[]>>): ForwardedHeaders {
  const listed = connectionOptions(headers['connection']);
  const found: ForwardedHeaders = {};
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || answerHopByHop.has(name) || listed?.has(name) === true || isReserved(name)) continue;
    found[name] = value;
  }
  return found;
}

const answerHopByHop: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

function isReserved(name: string): boolean {
  // Nearly every name fails at the first letters.
  if (name.charCodeAt(0) !== 0x78 || name.charCodeAt(1) !== 0x2d) return false;
  if (reservedNames.has(name)) return true;
  return reserved.some((prefix) => name.startsWith(prefix)) && !allowed.has(name);
}

function connectionOptions(value: string | readonly string[] | undefined): ReadonlySet<string> | undefined {
  if (value === undefined) return undefined;
  const text = typeof value === 'string' ? value : value.join(',');
  if (text === 'keep-alive' || text === 'close') return undefined;
  return new Set(text.split(',').map((option) => option.trim().toLowerCase()));
}
