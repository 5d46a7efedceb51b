/** The fields of a forwarded answer: the service's, and over them what policy, limits, a drill and the route say. */
import { answerHeaders } from '../accept/request-headers.ts';
import type { ForwardedHeaders } from '../accept/request-headers.ts';
import { changeHeaders } from '../route/header-changes.ts';
import type { ForwardDecision } from '../route/route-decision.ts';
import { joinedField } from '../shape/rate-limit-fields.ts';
import type { Admitted } from './http-path.ts';

/** A fresh record. */
export function answerFields(
  { exchange, permitted, limited }: Admitted,
  { responseHeaders }: ForwardDecision,
  answered: Readonly<Record<string, string | readonly string[]>>,
  drill?: Readonly<Record<string, string>>,
): ForwardedHeaders {
  const headers = answerHeaders(answered);
  for (const name in permitted.responseHeaders) headers[name] = permitted.responseHeaders[name] ?? '';
  for (const name in limited.headers) headers[name] = joinedField(limited.headers[name] ?? '', oneLine(headers[name]));
  for (const name in drill) headers[name] = drill[name] ?? '';
  if (responseHeaders.length > 0) changeHeaders(headers, responseHeaders);
  headers['x-request-id'] = exchange.facts.id;
  return headers;
}

/** RFC 9110 section 5.3. */
function oneLine(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'object' ? value.join(', ') : value;
}
