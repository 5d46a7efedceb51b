/** The ledger: books entries, and tells who it is and whom it sees. */
import type http from 'node:http';
import { readBody, sendJson, serve } from './http-service.ts';

const pod = process.env['POD_NAME'] ?? 'ledger';
const tickMs = 100;
let entries = 0;

/** The address the caller has on the wire: the mesh keeps the caller's own. */
function clientOf(request: http.IncomingMessage): string {
  return (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
}

serve({
  'GET /hello': (request, response) => sendJson(response, 200, { pod, client: clientOf(request) }),
  'POST /entries': async (request, response) => {
    const { iban, amount } = JSON.parse(await readBody(request)) as { iban?: unknown; amount?: unknown };
    if (typeof iban !== 'string' || typeof amount !== 'string') {
      return sendJson(response, 400, { error: 'an entry needs iban and amount, both text' });
    }
    entries++;
    sendJson(response, 201, { entry: entries, pod, client: clientOf(request), booked: { iban, amount } });
  },
  'GET /stream': (request, response) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    let tick = 0;
    const timer = setInterval(() => response.write(`${JSON.stringify({ tick: ++tick, pod })}\n`), tickMs);
    request.socket.once('close', () => clearInterval(timer));
  },
});
