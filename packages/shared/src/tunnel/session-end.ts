import { constants } from 'node:http2';
import type { SessionEnd } from './engine.ts';

/** nghttp2's NGHTTP2_ERR_FLOODED: too many resets or unanswered control frames. */
const FLOODED = -904;

const INVALID_FRAMES = 'ERR_HTTP2_TOO_MANY_INVALID_FRAMES';

/** What an error of a node:http2 session means. */
export function sessionEndOf(error: Error): SessionEnd {
  const code = 'code' in error ? String(error.code) : '';
  // OpenSSL's text repeats its code, with addresses of its own source files.
  if (code.startsWith('ERR_SSL')) return { reason: 'connection-lost', detail: code };
  const detail = code === '' ? error.message : `${code}: ${error.message}`;
  if (code === INVALID_FRAMES || ('errno' in error && error.errno === FLOODED)) return { reason: 'flood', detail };
  if (code.startsWith('ERR_HTTP2')) return { reason: 'protocol-violation', detail };
  return { reason: 'connection-lost', detail };
}

/** `NO_ERROR` and its like for an HTTP/2 error code. */
export function errorCodeName(code: number): string {
  const prefix = 'NGHTTP2_';
  const entry = Object.entries(constants).find(([name, value]) => value === code && knownCodes.has(name.slice(prefix.length)));
  return entry === undefined ? `code ${code}` : entry[0].slice(prefix.length);
}

/** RFC 9113 section 7. */
const knownCodes: ReadonlySet<string> = new Set([
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
]);
