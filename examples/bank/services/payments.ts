/**
 * Payments: takes orders and books them in the ledger.
 *   POST /pay      books one payment; answers with the ledger's own answer, or why there is none. Without a body: the
 *                  standing order. With one: any of {"iban", "amount", "currency", "key", "initiator", "approver"}
 *   GET  /balance  asks the ledger a question that moves no money
 *   GET  /report   asks the store of customer-analytics, which payments must never reach
 *   POST /stream   opens one long connection to the ledger, instead of the last one
 *   GET  /stream   tells how that connection fares
 *   POST /call     any call, from inside the pod only
 */
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { askHttp, askTcp } from './attempt.ts';
import type { HttpAttempt, HttpQuestion } from './attempt.ts';
import { call } from './call.ts';
import { readJson, sendJson, serve } from './http-service.ts';
import { startSpan } from './trace.ts';
import type { Span } from './trace.ts';

const ledgerUrl = process.env['LEDGER_URL'] ?? 'http://127.0.0.1:8081';
const balancesUrl = process.env['BALANCES_URL'] ?? ledgerUrl;
const analyticsAddress = process.env['ANALYTICS_ADDRESS'] ?? '127.0.0.1:6379';
const clerk = 'carol';

const standingOrder: Readonly<Record<string, unknown>> = {
  iban: process.env['STANDING_ORDER_IBAN'] ?? 'DE89370400440532013000',
  amount: process.env['STANDING_ORDER_AMOUNT'] ?? '1250.00',
  currency: 'EUR',
};

type Stream = { state: 'none' | 'opening' | 'open' | 'closed'; ticks: number; reason?: string; closedAtMs?: number };

let stream: Stream = { state: 'none', ticks: 0 };
let following: http.ClientRequest | undefined;

/** Follows the ledger's stream, and keeps in `stream` what is known of it. */
function followLedger(): void {
  following?.destroy();
  const own: Stream = { state: 'opening', ticks: 0 };
  stream = own;
  // One end may show as several events: a reset ends the answer and fails the request.
  const end = (reason: string): void => {
    if (own.state !== 'closed') Object.assign(own, { state: 'closed', reason, closedAtMs: Date.now() });
  };
  following = http.get(`${ledgerUrl}/stream`, { agent: false }, (answer) => {
    own.state = 'open';
    answer.on('data', (chunk: Buffer) => (own.ticks += chunk.toString('utf8').split('\n').length - 1));
    answer.once('end', () => end('end'));
    answer.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
  following.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
}

/** The headers of one booking: its key makes "once" a thing that can be checked. */
function bookingHeaders(
  { key, approver, initiator }: Readonly<Record<string, unknown>>,
  span: Span,
): Readonly<Record<string, string>> {
  return {
    'content-type': 'application/json',
    'idempotency-key': `"${typeof key === 'string' ? key : randomUUID()}"`,
    'x-initiated-by': typeof initiator === 'string' ? initiator : clerk,
    ...(typeof approver === 'string' ? { 'x-approved-by': approver } : {}),
    traceparent: span.traceparent,
  };
}

/** What is not booked, told as far as it is known: the status, what the mesh says, the problem document. */
function refusalOf({
  status = 0,
  headers = {},
  answer,
}: Extract<HttpAttempt, { answered: true }>): Readonly<Record<string, unknown>> {
  const isProblem = /^application\/(problem\+)?json/.test(headers['content-type'] ?? '');
  const problem = isProblem ? (JSON.parse(answer) as { readonly title?: string; readonly error?: string }) : undefined;
  const reason = problem?.title ?? problem?.error ?? answer.trim();
  return { error: `${status} ${reason}`, status, headers, ...(problem === undefined ? {} : { problem }) };
}

/** Asks the ledger on behalf of a request, as a span of its own. */
async function askLedger(url: string, name: string, parent: Span, ask: (span: Span) => HttpQuestion): Promise<HttpAttempt> {
  const span = startSpan(name, 'client', parent);
  const result = await askHttp(url, ask(span));
  const status = result.answered ? (result.status ?? 0) : 0;
  const code = status === 0 ? {} : { 'http.response.status_code': status };
  span.end(result.answered ? code : { 'error.type': result.error }, status === 0 || status >= 400);
  return result;
}

serve({
  'POST /pay': async (request, response, span) => {
    const asked = await readJson(request);
    const { iban, amount, currency } = { ...standingOrder, ...asked };
    const body = JSON.stringify({ iban, amount, currency });
    const result = await askLedger(`${ledgerUrl}/entries`, 'POST /entries', span, (own) => ({
      body,
      headers: bookingHeaders(asked, own),
    }));
    const { traceId } = span;
    if (!result.answered) return sendJson(response, 502, { error: result.error, afterMs: result.afterMs, traceId });
    if (result.status !== 201) return sendJson(response, 502, { ...refusalOf(result), traceId });
    const answer = JSON.parse(result.answer) as Readonly<Record<string, unknown>>;
    sendJson(response, 200, { ...answer, afterMs: result.afterMs, headers: result.headers, traceId });
  },
  'GET /balance': async (_request, response, span) => {
    const result = await askLedger(`${balancesUrl}/balance`, 'GET /balance', span, ({ traceparent }) => ({
      headers: { traceparent },
    }));
    const { afterMs } = result;
    if (!result.answered) return sendJson(response, 502, { error: result.error, afterMs });
    if (result.status !== 200) return sendJson(response, 502, { ...refusalOf(result), afterMs });
    const answer = JSON.parse(result.answer) as Readonly<Record<string, unknown>>;
    sendJson(response, 200, { ...answer, headers: result.headers, afterMs });
  },
  'GET /report': async (_request, response) => sendJson(response, 200, await askTcp(analyticsAddress, 'PING\r\n')),
  'POST /stream': (_request, response) => {
    followLedger();
    sendJson(response, 202, stream);
  },
  'GET /stream': (_request, response) => sendJson(response, 200, stream),
  'POST /call': call,
});
