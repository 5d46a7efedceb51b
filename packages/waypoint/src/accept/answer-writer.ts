/**
 * Writes answers to callers, HTTP/1.1 and HTTP/2 alike.
 *
 * W1  A head is written once; what breaks afterwards ends the stream abruptly, so that nobody takes a part for the whole.
 * W2  Trailers pass, gRPC's and others: as HTTP/2 trailers, or in chunked coding where the caller speaks HTTP/1.1.
 * W3  Back-pressure runs through: a caller that stops reading stops the endpoint.
 * W4  An answer of trailers only stays one: gRPC clients that see a head without END_STREAM wait for trailers of their own
 *     (gRPC over HTTP/2, Responses).
 */
import { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { discardBody } from '../exchange/answer-body.ts';
import type { AnswerBody } from '../exchange/answer-body.ts';
import type { Failure } from '../exchange/failure.ts';
import { failureTable } from '../exchange/failure.ts';
import type { LocalAnswer } from '../exchange/stage.ts';
import { isClosed, wasDelivered } from './caller-presence.ts';
import type { RawResponse } from './http-front.ts';

type Headers = Readonly<Record<string, string | readonly string[]>>;

export type ForwardedAnswer = {
  readonly status: number;
  readonly headers: Headers;
  readonly body: AnswerBody;
  trailers(): Headers;
};

/** How writing ended. */
export type WriteEnd =
  | { readonly kind: 'complete' }
  | { readonly kind: 'caller-gone' }
  | { readonly kind: 'broken'; readonly error: Error }
  /** Its head cannot be said in the caller's protocol; another may be written. */
  | { readonly kind: 'unwritable'; readonly error: Error };

/** Writes an answer to its end; never rejects. */
export function writeAnswer(response: RawResponse, answer: ForwardedAnswer, onBytes: (count: number) => void): Promise<WriteEnd> {
  const { status, headers, body } = answer;
  const trailersOnly = isTrailersOnly(response, headers);
  try {
    if (trailersOnly) endWithHead(response, status, headers);
    else writeHead(response, status, headers);
  } catch (thrown) {
    discardBody(body);
    for (const name in headers) response.removeHeader(name);
    return Promise.resolve({ kind: 'unwritable', error: thrown instanceof Error ? thrown : new Error(String(thrown)) });
  }
  if (!(body instanceof Readable)) {
    if (!trailersOnly) endWithBody(response, body, answer.trailers());
    onBytes(body.length);
    return written(response);
  }
  return trailersOnly ? trailersOnlyWritten(response, body) : streamed(response, body, answer, onBytes);
}

function streamed(
  response: RawResponse,
  body: Readable,
  answer: ForwardedAnswer,
  onBytes: (count: number) => void,
): Promise<WriteEnd> {
  return new Promise((resolve) => {
    const settle = (end: WriteEnd): void => {
      body.off('data', onData).off('end', onEnd).off('error', onError);
      response.off('drain', onDrain).off('close', onClose).off('finish', onClose);
      resolve(end);
    };
    const onData = (chunk: Buffer): void => {
      onBytes(chunk.length);
      if (!write(response, chunk)) body.pause();
    };
    const onDrain = (): void => void body.resume();
    const onEnd = (): void => {
      const trailers = answer.trailers();
      if (hasAny(trailers)) addTrailers(response, trailers);
      response.end();
    };
    const onError = (error: Error): void => {
      breakOff(response);
      settle({ kind: 'broken', error });
    };
    const onClose = (): void => {
      if (wasDelivered(response)) return settle({ kind: 'complete' });
      body.destroy();
      settle({ kind: 'caller-gone' });
    };
    response.on('drain', onDrain).on('close', onClose).on('finish', onClose);
    body.on('end', onEnd).on('error', onError).on('data', onData);
    if (isClosed(response)) onClose();
  });
}

/** Bytes of a body that are copied behind the head, to be written with it at once. */
const maxJoinedBytes = 16 * 1024;

function endWithBody(response: RawResponse, body: Buffer, trailers: Headers): void {
  if (hasAny(trailers)) addTrailers(response, trailers);
  const joined = response instanceof ServerResponse && body.length <= maxJoinedBytes;
  // node:http puts head and body into one write if both are text; every byte is a character of latin1 (ISO 8859-1).
  if (joined) response.end(body.toString('latin1'), 'latin1');
  else (response as ServerResponse).end(body);
}

function written(response: RawResponse): Promise<WriteEnd> {
  return new Promise((resolve) => {
    const settle = (): void => {
      response.off('close', settle).off('finish', settle);
      resolve({ kind: wasDelivered(response) ? 'complete' : 'caller-gone' });
    };
    if (isClosed(response)) return settle();
    response.on('close', settle).on('finish', settle);
  });
}

/** What its sender may still say is read to its end, so that it is known whether the answer was whole. */
function trailersOnlyWritten(response: RawResponse, body: Readable): Promise<WriteEnd> {
  return new Promise((resolve) => {
    body.once('end', () => resolve({ kind: 'complete' })).once('error', (error) => resolve({ kind: 'broken', error }));
    body.once('close', () => resolve({ kind: body.readableEnded ? 'complete' : 'caller-gone' }));
    response.once('close', () => wasDelivered(response) || body.destroy());
    body.resume();
  });
}

/** Writes an answer that is whole already. */
export function writeLocal(response: RawResponse, { status, headers, body, trailers }: LocalAnswer): void {
  if (response.headersSent || isClosed(response)) return;
  if (isTrailersOnly(response, headers)) return endWithHead(response, status, headers);
  if (trailers === undefined || !hasAny(trailers)) {
    writeHead(response, status, { ...headers, 'content-length': String(Buffer.byteLength(body)) });
    return void response.end(body);
  }
  // With a length HTTP/1.1 has no place for trailers.
  const { 'content-length': _length, ...unmeasured } = headers;
  writeHead(response, status, unmeasured);
  write(response, body);
  addTrailers(response, trailers);
  response.end();
}

/**
 * Answers with a failure: `application/problem+json` (RFC 9457), or for gRPC a trailers-only answer (gRPC over HTTP/2,
 * Responses). Whoever called learns which object decided, never more about it.
 */
export function failureAnswer(
  failure: Failure,
  facts: { readonly grpc: boolean; readonly id: string; readonly outcome: string },
): LocalAnswer {
  const row = failureTable[failure.kind];
  const about: Record<string, string> = {
    'x-request-id': facts.id,
    'x-mesh-denied': failure.kind,
    'x-mesh-outcome': facts.outcome,
    ...failure.headers,
  };
  if (facts.grpc) {
    const message = encodeURIComponent(`${row.title}: ${failure.detail}`).replaceAll('%20', ' ');
    const headers = {
      ...about,
      'content-type': 'application/grpc',
      'grpc-status': String(failure.grpcStatus ?? row.grpcStatus),
      'grpc-message': message,
    };
    return { status: 200, headers, body: '' };
  }
  const status = failure.status ?? row.status;
  if (failure.body !== undefined) return { status, headers: about, body: failure.body };
  const problem = {
    type: `https://clearmesh.io/problems/${failure.kind}`,
    title: row.title,
    status,
    detail: failure.detail,
    ...(failure.policy === undefined ? {} : { policy: failure.policy }),
    ...(failure.rule === undefined ? {} : { rule: failure.rule }),
    outcome: facts.outcome,
    requestId: facts.id,
  };
  return { status, headers: { ...about, 'content-type': 'application/problem+json' }, body: `${JSON.stringify(problem)}\n` };
}

/** Ends a stream so that its reader sees that something is missing: `close` would end what was written first, as if it were all. */
export function breakOff(response: RawResponse): void {
  if (response instanceof ServerResponse) response.destroy();
  else response.stream?.destroy(new Error('the answer broke off'));
}

function writeHead(response: RawResponse, status: number, headers: Headers): void {
  const sayable = headers['trailer'] === undefined || mayHaveTrailers(response, status, headers);
  // Both kinds take the same arguments; their types do not say so.
  (response as ServerResponse).writeHead(
    status,
    (sayable ? headers : withoutTrailer(headers)) as Record<string, string | string[]>,
  );
}

function withoutTrailer({ trailer: _trailer, ...others }: Headers): Headers {
  return others;
}

/** RFC 9112 section 7.1.2: in chunked coding only; Node refuses to announce others. */
function mayHaveTrailers(response: RawResponse, status: number, headers: Headers): boolean {
  if (!(response instanceof ServerResponse)) return true;
  const bodiless = status === 204 || status === 304 || response.req.method === 'HEAD';
  return !bodiless && headers['content-length'] === undefined && response.req.httpVersion === '1.1';
}

function isTrailersOnly(response: RawResponse, headers: Headers): boolean {
  return !(response instanceof ServerResponse) && headers['grpc-status'] !== undefined;
}

/** One frame that is head and end: what is written before `end` would be a head of its own. */
function endWithHead(response: RawResponse, status: number, headers: Headers): void {
  response.statusCode = status;
  for (const name in headers) response.setHeader(name, headers[name] as string | string[]);
  response.end();
}

function write(response: RawResponse, chunk: Uint8Array | string): boolean {
  return (response as ServerResponse).write(chunk);
}

function addTrailers(response: RawResponse, trailers: Headers): void {
  response.addTrailers(trailers as Record<string, string>);
}

function hasAny(headers: Headers): boolean {
  for (const _name in headers) return true;
  return false;
}
