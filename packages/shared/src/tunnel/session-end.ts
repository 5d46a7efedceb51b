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
