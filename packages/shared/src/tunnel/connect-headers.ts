/** The headers of HBONE's CONNECT (section 2.1, and our own original caller), to and from HTTP/2 header lists. */
import type { IncomingHttpHeaders } from 'node:http2';
import { originalCallerHeader } from '../wire/original-caller.ts';
import type { ConnectHeaders, ConnectRequest } from './engine.ts';

const names: Readonly<Record<keyof ConnectHeaders, string>> = {
  baggage: 'baggage',
  forwarded: 'forwarded',
  traceparent: 'traceparent',
  xForwardedNetwork: 'x-forwarded-network',
  caller: originalCallerHeader,
};

const fields = Object.entries(names) as readonly [keyof ConnectHeaders, string][];
const fieldsByName: ReadonlyMap<string, keyof ConnectHeaders> = new Map(fields.map(([field, name]) => [name, field]));

/** Names and values in turn, pseudo headers first, in the order upstream sends them and ours last. */
export function requestHeaderList(request: ConnectRequest): string[] {
  const list = [':method', 'CONNECT', ':authority', request.authority];
  for (const [field, name] of fields) {
    const value = request.headers[field];
    if (value !== undefined) list.push(name, value);
  }
  return list;
}

/** Several headers of one name count as one with their values joined by a comma (RFC 9110 section 5.3). */
export function connectHeadersOf(headers: IncomingHttpHeaders): ConnectHeaders {
  const found: { -readonly [Field in keyof ConnectHeaders]: string } = {};
  for (const [field, name] of fields) {
    const value = headers[name];
    if (value !== undefined) found[field] = Array.isArray(value) ? value.join(',') : value;
  }
  return found;
}

/** The same from a list of names and values in turn. */
export function connectHeadersIn(list: readonly string[]): ConnectHeaders {
  const found: { -readonly [Field in keyof ConnectHeaders]: string } = {};
  for (let i = 0; i + 1 < list.length; i += 2) {
    const field = fieldsByName.get(list[i] ?? '');
    if (field === undefined) continue;
    const before = found[field];
    found[field] = before === undefined ? (list[i + 1] ?? '') : `${before},${list[i + 1] ?? ''}`;
  }
  return found;
}
