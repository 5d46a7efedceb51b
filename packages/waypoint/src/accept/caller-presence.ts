/**
 * Whether a caller is still there, and whether it got its answer: node:http and node:http2 tell it differently.
 *
 * C1  Http2ServerResponse says `finish` and `writableFinished` of a stream that was reset just as of one that was served;
 *     only the stream's own code tells.
 * C2  A reset stream is closed when what was received has been read, which may be never: `aborted` comes at once.
 */
import { ServerResponse } from 'node:http';
import { constants } from 'node:http2';
import type { RawResponse } from './http-front.ts';

/** Calls `listener` once the caller has left before its answer was whole; gives what stops that. */
export function onCallerGone(response: RawResponse, listener: () => void): () => void {
  const recvClose = (): void => {
    if (!wasDelivered(response)) listener();
  };
  response.once('close', recvClose);
  if (response instanceof ServerResponse) return () => void response.off('close', recvClose);
  const { stream } = response;
  stream.once('aborted', listener);
  if (isClosed(response)) listener();
  return () => {
    response.off('close', recvClose);
    stream.off('aborted', listener);
  };
}

/** The whole answer was handed over; asked when the response has finished or closed. */
export function wasDelivered(response: RawResponse): boolean {
  if (response instanceof ServerResponse) return response.writableFinished;
  const { stream } = response;
  return stream.writableFinished && !stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR;
}

/** Nothing that is written reaches anybody. */
export function isClosed(response: RawResponse): boolean {
  if (response instanceof ServerResponse) return response.closed || response.destroyed;
  const { stream } = response;
  return stream.closed || stream.destroyed;
}
