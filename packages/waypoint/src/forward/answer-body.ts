/**
 * The body of an answer on its way to the caller, watched.
 *
 * A1  Whoever reads it gets the bytes, then an end or an error, so that nobody takes a part for the whole: a stream that
 *     closes without either is an error, and so is the end that node:http2 makes of RST_STREAM with CANCEL.
 * A2  `recvEnd` is called exactly once, even if nobody ever reads.
 */
import { constants } from 'node:http2';
import { Readable } from 'node:stream';
import type { Failure } from '../exchange/failure.ts';
import type { Watched } from './idle-watch.ts';
import { UpstreamError } from './wire-failure.ts';

export type AnswerBodyEvents = {
  readonly recvFirstData: () => void;
  /** `undefined`: complete. */
  readonly recvEnd: (failure: Failure | undefined) => void;
  readonly watched: Watched;
};

const abandoned: Failure = { kind: 'caller-gone', detail: 'the caller did not take the whole answer' };

/** @param name of the endpoint, for failures */
export function watchBody(source: Readable, name: string, events: AnswerBodyEvents): Readable {
  let first = true;
  let over = false;
  const settle = (failure: Failure | undefined): void => {
    if (over) return;
    over = true;
    events.recvEnd(failure);
  };
  const body: Readable = new Readable({
    read: () => void source.resume(),
    destroy: (error, callback) => {
      settle(error instanceof UpstreamError ? error.failure : abandoned);
      source.destroy();
      callback(error);
    },
  });
  // A failure is told by whoever reads it; nobody may be reading yet.
  body.on('error', ignore);
  source.pause();
  source.on('data', (chunk: Buffer) => {
    events.watched.movement += 1;
    if (first) {
      first = false;
      events.recvFirstData();
    }
    if (!body.push(chunk)) source.pause();
  });
  const breakOff = (): void => {
    if (!over) body.destroy(new UpstreamError(brokenOff(source, name)));
  };
  const recvEnd = (): void => {
    if (wasReset(source)) return breakOff();
    settle(undefined);
    body.push(null);
  };
  source.on('end', recvEnd);
  source.on('error', ignore);
  source.on('close', breakOff);
  // node:http2 tells the end of an answer of trailers only together with its head: before anybody could listen.
  if (source.readableEnded) queueMicrotask(recvEnd);
  // Not `closed`: an Http2Stream is closed once its peer ended it, with the answer still to be read.
  else if (source.destroyed) queueMicrotask(breakOff);
  return body;
}

/** Only Http2Stream has a code, and it is 0 as long as its peer ended it in order. */
function wasReset(source: Readable): boolean {
  return 'rstCode' in source && typeof source.rstCode === 'number' && source.rstCode !== constants.NGHTTP2_NO_ERROR;
}

function brokenOff(source: Readable, name: string): Failure {
  const error = source.errored;
  if (error instanceof UpstreamError) return error.failure;
  return { kind: 'reset-in-answer', detail: `endpoint ${name}: ${error?.message ?? 'the answer broke off'}` };
}

function ignore(): void {}
