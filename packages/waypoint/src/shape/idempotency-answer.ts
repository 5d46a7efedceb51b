/** What is kept of an answer, and how it is given again. */
import type { LocalAnswer } from '../exchange/stage.ts';

export type AnswerHeaders = Readonly<Record<string, string | readonly string[]>>;

/** A definite answer of the service; header names are lower case. */
export type CapturedAnswer = {
  readonly status: number;
  readonly headers: AnswerHeaders;
  /** Absent: larger than what is kept. */
  readonly body?: Uint8Array;
  readonly trailers?: AnswerHeaders;
};

/** Kept for a replay. No cookie, no credential, nothing that speaks of one connection or one moment. */
export const defaultKeptHeaders: readonly string[] = [
  'content-type',
  'content-encoding',
  'content-language',
  'content-disposition',
  'content-digest',
  'repr-digest',
  'digest',
  'location',
  'etag',
  'last-modified',
  'cache-control',
  'link',
  'allow',
  'retry-after',
  'x-jws-signature',
  'grpc-status',
  'grpc-message',
  'grpc-status-details-bin',
  'grpc-encoding',
];

type Head = {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly trailers: AnswerHeaders;
  readonly omitted: boolean;
};

/** Length of the head, head as JSON, body. */
export function encodeAnswer(answer: CapturedAnswer, keptHeaders: ReadonlySet<string>): Buffer {
  const { status, body } = answer;
  const head: Head = {
    status,
    headers: kept(answer.headers, keptHeaders),
    trailers: kept(answer.trailers ?? {}, keptHeaders),
    omitted: body === undefined,
  };
  const json = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([length, json, body ?? Buffer.alloc(0)]);
}

/** The answer to the same request sent again; `undefined`: not what {@link encodeAnswer} wrote. */
export function replayOf(encoded: Uint8Array): LocalAnswer | undefined {
  const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  if (bytes.length < 4) return undefined;
  const bodyAt = 4 + bytes.readUInt32BE(0);
  const head = parseHead(bytes.toString('utf8', 4, bodyAt));
  if (bytes.length < bodyAt || head === undefined) return undefined;
  const headers = {
    ...head.headers,
    'idempotency-replayed': 'true',
    // The status is the answer's; that there is no body is said, so that nobody takes it for the service's.
    ...(head.omitted ? { 'x-mesh-outcome': 'completed', 'x-mesh-replayed-body': 'omitted' } : {}),
  };
  const trailers = Object.keys(head.trailers).length === 0 ? {} : { trailers: head.trailers };
  return { status: head.status, headers, body: bytes.subarray(bodyAt), ...trailers };
}

function parseHead(json: string): Head | undefined {
  try {
    return JSON.parse(json) as Head;
  } catch {
    return undefined;
  }
}

function kept(headers: AnswerHeaders, names: ReadonlySet<string>): AnswerHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => names.has(name)));
}
