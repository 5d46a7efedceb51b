/**
 * How long a request may still take (l7-and-resilience C10). Deadlines travel as what remains, not as a time of day: no
 * clock but one's own is trusted, and each hop takes off what it used up itself.
 */
import type { Failure } from '../exchange/failure.ts';
import { headerOf } from '../exchange/request-facts.ts';
import type { UpstreamHeaders } from './upstream.ts';

const deadlineHeader = 'x-mesh-deadline-ms';
const grpcDeadlineHeader = 'grpc-timeout';

/** Largest value that is sent on in milliseconds: gRPC allows eight digits. */
const maxDigits = 8;

/** When the caller stops waiting, monotonic milliseconds; Infinity if it did not say so. Unreadable values say nothing. */
export function callerDeadline(headers: UpstreamHeaders, grpc: boolean, startedMs: number): number {
  const told = headerOf(headers, deadlineHeader);
  const remaining = told === undefined ? Infinity : (wholeNumber(told, 0, told.length, 10) ?? Infinity);
  const timeout = grpc ? headerOf(headers, grpcDeadlineHeader) : undefined;
  return startedMs + Math.min(remaining, timeout === undefined ? Infinity : (grpcTimeoutMs(timeout) ?? Infinity));
}

/** gRPC over HTTP/2, Requests: at most eight digits and a unit; `undefined` for anything else. */
export function grpcTimeoutMs(value: string): number | undefined {
  const amount = wholeNumber(value, 0, value.length - 1, maxDigits);
  const unit = unitsMs[value.charAt(value.length - 1)];
  return amount === undefined || unit === undefined ? undefined : amount * unit;
}

const unitsMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000_001 };

/** Whole milliseconds as long as they fit, then seconds. */
export function formatGrpcTimeout(remainingMs: number): string {
  const ms = Math.max(0, Math.floor(remainingMs));
  return ms < 10 ** maxDigits ? `${ms}m` : `${Math.min(Math.floor(ms / 1_000), 10 ** maxDigits - 1)}S`;
}

/** Why nothing is dispatched any more, if so. @param remainingMs of the caller's deadline */
export function lateFailure(remainingMs: number, minServiceMs: number): Failure | undefined {
  if (remainingMs >= Math.max(1, minServiceMs)) return undefined;
  const left = Math.max(0, Math.floor(remainingMs));
  return {
    kind: 'late',
    detail: `${left} ms are left of the caller’s deadline, the service needs ${Math.max(1, minServiceMs)} ms`,
  };
}

/** Tells the next hop what remains now. */
export function propagateDeadline(headers: Record<string, string | readonly string[]>, grpc: boolean, remainingMs: number): void {
  headers[deadlineHeader] = String(Math.max(0, Math.floor(remainingMs)));
  if (grpc) headers[grpcDeadlineHeader] = formatGrpcTimeout(remainingMs);
}

/** Digits only, no sign and no blank; `undefined` if there is none, or more than `digits`. */
function wholeNumber(text: string, from: number, to: number, digits: number): number | undefined {
  if (to <= from || to - from > digits) return undefined;
  let value = 0;
  for (let index = from; index < to; index++) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}
