/** Errors of HTTP clients as failures of the table; the one place that knows their codes. */
import { constants } from 'node:http2';
import { errors } from 'undici';
import type { Failure, FailureKind } from '../exchange/failure.ts';

/** Carries a failure through a library that only knows errors. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.detail);
    this.failure = failure;
  }
}

/** How far an attempt had come. */
export type Progress = 'queued' | 'sent' | 'answered';

/** The failure an error means, `name` being the endpoint's. */
export function failureOf(error: unknown, progress: Progress, name: string): Failure {
  if (error instanceof UpstreamError) return error.failure;
  const message = error instanceof Error ? error.message : String(error);
  return { kind: kindOf(error, progress), detail: `endpoint ${name}: ${message}` };
}

/** RFC 9113 section 8.7: REFUSED_STREAM and streams above a GOAWAY's last id were not processed. */
export function kindOfReset(rstCode: number, progress: Progress): FailureKind {
  if (progress === 'answered') return 'reset-in-answer';
  if (rstCode === constants.NGHTTP2_REFUSED_STREAM) return 'refused-stream';
  return progress === 'queued' ? 'reset-before-request' : 'reset';
}

function kindOf(error: unknown, progress: Progress): FailureKind {
  const code = codeOf(error);
  if (progress === 'queued') return notSent.has(code) ? 'refused-stream' : 'reset-before-request';
  if (progress === 'answered') return 'reset-in-answer';
  if (notSent.has(code)) return 'refused-stream';
  return isMalformed(error, code) ? 'bad-answer' : 'reset';
}

const notSent: ReadonlySet<string> = new Set([
  'ERR_HTTP2_GOAWAY_SESSION',
  'ERR_HTTP2_INVALID_SESSION',
  'ERR_HTTP2_OUT_OF_STREAMS',
]);

/** llhttp's errors, some of which come without a code, and undici's about lengths. */
function isMalformed(error: unknown, code: string): boolean {
  return (
    error instanceof errors.HTTPParserError ||
    code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' ||
    code === 'UND_ERR_HEADERS_OVERFLOW'
  );
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
