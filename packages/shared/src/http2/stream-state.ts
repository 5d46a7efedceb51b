/**
 * The states of a stream that is known (RFC 9113 section 5.1). Idle streams have no record, and neither has a push.
 *
 *              recv END_STREAM                 send END_STREAM
 *   open ───────────────────▶ half-closed-remote ────────────▶ closed
 *    │        send END_STREAM                  recv END_STREAM    ▲
 *    └───────────────────────▶ half-closed-local ─────────────────┤
 *   any ── RST_STREAM, sent or received ──────────────────────────┘
 */
export type StreamState = 'open' | 'half-closed-local' | 'half-closed-remote' | 'closed';

export function afterRecvEnd(state: StreamState): StreamState {
  return state === 'open' ? 'half-closed-remote' : 'closed';
}

export function afterSendEnd(state: StreamState): StreamState {
  return state === 'open' ? 'half-closed-local' : 'closed';
}

/** DATA and HEADERS of the peer have a place here. */
export function mayReceive(state: StreamState): boolean {
  return state === 'open' || state === 'half-closed-local';
}

export function maySend(state: StreamState): boolean {
  return state === 'open' || state === 'half-closed-remote';
}
