/** The body of a raw request: whether there is one, and how much of it came. */
import type { Readable } from 'node:stream';
import type { RawRequest } from '../accept/http-front.ts';

/** RFC 9112 section 6, RFC 9113 section 8.1: framing tells, not the method. */
export function bodyOf(request: RawRequest): Readable | undefined {
  if ('stream' in request) return request.stream.endAfterHeaders ? undefined : request;
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
  return coding === undefined && (length === undefined || length === '0') ? undefined : request;
}

/** Announced bytes; 0 where nothing is announced. */
export function announcedBytes(request: RawRequest): number {
  return Number(request.headers['content-length'] ?? 0);
}

/** Counts what is read by whoever reads; call it before anybody does. */
export function countBytes(body: Readable, onBytes: (count: number) => void): void {
  // An explicit pause keeps the listener from setting the stream flowing.
  body.pause();
  body.on('data', (chunk: Buffer) => onBytes(chunk.length));
}
