/** What became of a call to the API server. Answers of any status are values: whoever asked knows what each means to it. */

export type ApiAnswer<T = unknown> =
  /** 2xx. */
  | { readonly kind: 'ok'; readonly body: T }
  /** The server's decision; `reason` and `message` are those of its Status object, where it sent one. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly reason: string;
      readonly message: string;
      /** How long the server asks to be left alone. */
      readonly retryAfterMs?: number;
    }
  /** No answer: no connection, cut off, or too late. */
  | { readonly kind: 'unreachable'; readonly message: string };

export type ApiFailure = Exclude<ApiAnswer, { readonly kind: 'ok' }>;
export type Refusal = Extract<ApiAnswer, { readonly kind: 'refused' }>;

/** Longest wait that a server may ask for. */
const maxRetryAfterMs = 60_000;
/** Of a message that goes to the log; the server quotes what it was sent. */
const maxMessage = 500;

/** @param retryAfter the header: seconds, since API servers send no dates */
export function refusal(status: number, body: string, retryAfter: string | undefined): Refusal {
  const { reason, message } = statusOf(body);
  const seconds = /^\d{1,6}$/.test(retryAfter ?? '') ? Number(retryAfter) : undefined;
  return {
    kind: 'refused',
    status,
    reason,
    message: (message === '' ? `HTTP status ${status}` : message).slice(0, maxMessage),
    ...(seconds === undefined ? {} : { retryAfterMs: Math.min(maxRetryAfterMs, seconds * 1000) }),
  };
}

/** The answer in words, for logs. */
export function answerText(answer: ApiFailure): string {
  return answer.kind === 'refused' ? `${answer.status} ${answer.message}` : answer.message;
}

/** `kind: Status`, or nothing where a proxy in between answered with a page of its own. */
function statusOf(body: string): { readonly reason: string; readonly message: string } {
  try {
    const parsed: unknown = JSON.parse(body);
    if (parsed !== null && typeof parsed === 'object')
      return { reason: textAt(parsed, 'reason'), message: textAt(parsed, 'message') };
  } catch {
    // No JSON: the status alone tells.
  }
  return { reason: '', message: '' };
}

function textAt(value: object, key: string): string {
  const found = (value as Readonly<Record<string, unknown>>)[key];
  return typeof found === 'string' ? found : '';
}
