/** The body of an answer on its way through the stages. */
import { Readable } from 'node:stream';

/** A buffer is a body that was there as a whole together with its head. */
export type AnswerBody = Readable | Buffer;

/** For those who take every answer as a stream. */
export function streamOf(body: AnswerBody): Readable {
  return body instanceof Readable ? body : Readable.from(body.length === 0 ? [] : [body], { objectMode: false });
}

/** Nobody wants it; its sender is told so. */
export function discardBody(body: AnswerBody): void {
  if (body instanceof Readable) body.on('error', ignore).destroy();
}

function ignore(): void {}
