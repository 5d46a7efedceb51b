/**
 * Payments: takes orders and books them in the ledger.
 *   POST /pay     books one payment; answers with the ledger's own answer. Without a body: the standing order
 *   GET  /report  asks the store of customer-analytics, which payments must never reach
 *   POST /stream  opens one long connection to the ledger, instead of the last one
 *   GET  /stream  tells how that connection fares
 */
import http from 'node:http';
import { askHttp, askTcp } from './attempt.ts';
import { readBody, sendJson, serve } from './http-service.ts';

const ledgerUrl = process.env['LEDGER_URL'] ?? 'http://127.0.0.1:8081';
const analyticsAddress = process.env['ANALYTICS_ADDRESS'] ?? '127.0.0.1:6379';

const standingOrder = JSON.stringify({
  iban: process.env['STANDING_ORDER_IBAN'] ?? 'DE89370400440532013000',
  amount: process.env['STANDING_ORDER_AMOUNT'] ?? '1250.00 EUR',
});

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

serve({
  'POST /pay': async (request, response) => {
    const result = await askHttp(`${ledgerUrl}/entries`, (await readBody(request)) || standingOrder);
    if (!result.answered) return sendJson(response, 502, { error: result.error, afterMs: result.afterMs });
    response.writeHead(result.status === 201 ? 200 : 502, { 'content-type': 'application/json' });
    response.end(result.answer);
  },
  'GET /report': async (_request, response) => sendJson(response, 200, await askTcp(analyticsAddress, 'PING\r\n')),
  'POST /stream': (_request, response) => {
    followLedger();
    sendJson(response, 202, stream);
  },
  'GET /stream': (_request, response) => sendJson(response, 200, stream),
});
