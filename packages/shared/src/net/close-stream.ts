/** The end of a connection by the proxy: in order, or so that the peer learns that it was cut. */
import type { Duplex } from 'node:stream';

/** TCP sockets send RST; streams of a tunnel RST_STREAM CONNECT_ERROR (RFC 9113 section 8.5). */
type Resettable = Duplex & { resetAndDestroy(): unknown };

export function closeStream(stream: Duplex, how: 'in-order' | 'reset'): void {
  // A socket that is gone already would answer with an error.
  if (stream.destroyed) return;
  if (how === 'reset' && isResettable(stream)) stream.resetAndDestroy();
  else stream.destroy();
}

function isResettable(stream: Duplex): stream is Resettable {
  return 'resetAndDestroy' in stream;
}
