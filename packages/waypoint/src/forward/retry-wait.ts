/** How long to wait before another attempt: what the endpoint asks for, else a random back-off (l7-and-resilience B3). */
import { headerOf } from '../exchange/request-facts.ts';
import type { UpstreamHeaders } from './upstream.ts';

/** No endpoint makes a request wait longer than this, milliseconds. */
const maxWaitMs = 300_000;

/** Full jitter: uniform in [0, min(max, (2^n − 1) · base)) before the n-th retry, milliseconds. */
export function backoffMs(backoff: { readonly baseMs: number; readonly maxMs: number }, retry: number, unit: number): number {
  return unit * Math.min(backoff.maxMs, (2 ** retry - 1) * backoff.baseMs);
}

/** Whatever the endpoint asks for, and up to half more, so that not all come back at once. */
export function spreadMs(askedMs: number, unit: number): number {
  return Math.min(askedMs, maxWaitMs) * (1 + 0.5 * unit);
}

/** `Retry-After` (RFC 9110 section 10.2.3) of an answer 429 or 503, milliseconds. @param nowMs since the epoch */
export function retryAfterMs(status: number, headers: UpstreamHeaders, nowMs: number): number | undefined {
  if (status !== 429 && status !== 503) return undefined;
  const value = headerOf(headers, 'retry-after')?.trim();
  if (value === undefined) return undefined;
  if (seconds.test(value)) return Math.min(Number(value) * 1_000, maxWaitMs);
  const date = httpDate(value);
  return date === undefined ? undefined : Math.min(Math.max(0, date - nowMs), maxWaitMs);
}

/**
 * `grpc-retry-pushback-ms` (gRPC proposal A6): milliseconds, or `never` for a negative or unreadable value, by which a
 * server says that it wants no retry.
 */
export function grpcPushback(headers: UpstreamHeaders): number | 'never' | undefined {
  const value = headerOf(headers, 'grpc-retry-pushback-ms');
  if (value === undefined) return undefined;
  return digits.test(value) ? Math.min(Number(value), maxWaitMs) : 'never';
}

const seconds = /^\d{1,10}$/;
const digits = /^\d{1,10}$/;
/** RFC 9110 section 5.6.7: the preferred form and RFC 850's end with GMT, that of asctime has no zone. */
const withZone = /^[A-Z][a-z]{2,8}, \d{2}[ -][A-Z][a-z]{2}[ -]\d{2,4} \d{2}:\d{2}:\d{2} GMT$/;
const asctime = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

function httpDate(value: string): number | undefined {
  const text = withZone.test(value) ? value : asctime.test(value) ? `${value} GMT` : undefined;
  const date = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(date) ? undefined : date;
}
