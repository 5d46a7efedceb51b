/**
 * Carries an answer to its caller and keeps it on the way: the last chunk leaves only when the answer is stored.
 *
 * P1  Kept are `maxBodyBytes` at most; a larger answer streams through and is stored without its body.
 * P2  A caller that leaves does not make the outcome unknown: the rest is read, and the answer stored, while `signal` lasts.
 * P3  An answer that breaks off is an unknown outcome, stored before the caller sees it break.
 */
import { Transform } from 'node:stream';
import type { Readable } from 'node:stream';
import type { LightSignal } from '../exchange/light-signal.ts';
import { streamOf } from '../exchange/answer-body.ts';
import type { AnswerBody } from '../exchange/answer-body.ts';
import type { AnswerHeaders, CapturedAnswer } from './idempotency-answer.ts';

/** What is needed of a ticket. */
export interface AnswerKeeper {
  readonly maxBodyBytes: number;
  /** Neither rejects. */
  complete(answer: CapturedAnswer): Promise<boolean>;
  unknown(): Promise<boolean>;
}

/** An answer of the service, streaming. */
export type StreamingAnswer = {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: AnswerBody;
  /** Read when the body has ended. */
  trailers(): AnswerHeaders;
};

/**
 * The body to forward in place of `answer.body`.
 * @param signal ends reading on for a caller that has left; the answer's body is destroyed then
 */
export function captureAnswer(answer: StreamingAnswer, keeper: AnswerKeeper, signal: LightSignal): Readable {
  const { status, headers } = answer;
  const body = streamOf(answer.body);
  const kept = new KeptBody(keeper.maxBodyBytes);
  let held: Buffer | undefined;
  let reported = false;
  const report = (definite: boolean): Promise<boolean> => {
    if (reported) return Promise.resolve(false);
    reported = true;
    return definite ? keeper.complete({ status, headers, trailers: answer.trailers(), ...kept.body() }) : keeper.unknown();
  };
  const forwarded = new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      const previous = held;
      held = chunk;
      callback(null, previous);
    },
    flush(callback) {
      void report(true).then(() => callback(null, held));
    },
    destroy(error, callback) {
      // Now: left to itself, the pipe would pause the answer a turn later.
      body.unpipe(forwarded);
      if (!reported) readOn(body, report, signal);
      callback(error);
    },
  });
  const recvBroken = (error?: Error): void => {
    if (reported || body.readableEnded || forwarded.destroyed) return;
    void report(false).then(() => forwarded.destroy(error ?? new Error('the answer broke off')));
  };
  body.once('error', recvBroken).once('close', recvBroken);
  // From the source itself: what waits in the transform is lost when the caller leaves.
  body.on('data', (chunk: Buffer) => kept.add(chunk));
  // pipe, not pipeline: the caller's end must not destroy the answer (P2).
  body.pipe(forwarded);
  if (body.destroyed) recvBroken(body.errored ?? undefined);
  return forwarded;
}

/** P2: reports once the answer has ended, broken off or taken too long. */
function readOn(body: Readable, report: (definite: boolean) => Promise<boolean>, signal: LightSignal): void {
  const settle = (definite: boolean): void => {
    signal.removeEventListener('abort', recvAbort);
    void report(definite);
  };
  const recvAbort = (): void => {
    settle(false);
    body.destroy();
  };
  if (body.readableEnded || body.destroyed) return settle(body.readableEnded);
  if (signal.aborted) return recvAbort();
  signal.addEventListener('abort', recvAbort, { once: true });
  body.once('end', () => settle(true)).once('close', () => settle(false));
  body.resume();
}

/** The body so far, until it is too large to keep. */
class KeptBody {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes <= this.#maxBytes) this.#chunks.push(chunk);
    else this.#chunks = [];
  }

  /** Nothing when it is too large. */
  body(): { readonly body?: Buffer } {
    return this.#bytes <= this.#maxBytes ? { body: Buffer.concat(this.#chunks) } : {};
  }
}
