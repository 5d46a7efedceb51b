/**
 * The body of an answer on its way to the caller, watched.
 *
 * A1  Whoever reads it gets the bytes, then an end or an error; a stream that closes without either is an error too
 *     (RFC 9113 section 8.1: a RST_STREAM with CANCEL closes without one), so that nobody takes a part for the whole.
 * A2  `recvEnd` is called exactly once, even if nobody ever reads.
 */
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
  source.on('end', () => {
    settle(undefined);
    body.push(null);
  });
  source.on('error', ignore);
  source.on('close', () => {
    if (!over) body.destroy(new UpstreamError(brokenOff(source, name)));
  });
  return body;
}

function brokenOff(source: Readable, name: string): Failure {
  const error = source.errored;
  if (error instanceof UpstreamError) return error.failure;
  return { kind: 'reset-in-answer', detail: `endpoint ${name}: ${error?.message ?? 'the answer broke off'}` };
}

function ignore(): void {}
