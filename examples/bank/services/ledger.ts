/**
 * The ledger: books entries, and tells who it is and whom it sees.
 *   POST /entries  books one entry; it is in the journal before the answer
 *   GET  /hello    tells who answers, and which address the caller has
 *   GET  /stream   goes on until somebody ends it
 * On QUESTIONS_PORT, 8081 by default:
 *   GET  /balance  answers a question that moves no money
 * From inside the pod only:
 *   GET  /journal  how often each idempotency key was booked
 *   POST /drill    orders a fault: {"mode": "die-after-body" | "fail" | "slow" | "none", "count": n}
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Drill } from './drill.ts';
import { clientOf, insideOnly, readBody, readJson, sendJson, serve } from './http-service.ts';
import { Journal } from './journal.ts';

const pod = process.env['POD_NAME'] ?? 'ledger';
const tickMs = 100;
const slowMs = 2000;
const journal = new Journal(process.env['JOURNAL'] ?? 'journal.jsonl');
const drill = new Drill();
let answered = 0;

serve({
  'GET /hello': (request, response) => sendJson(response, 200, { pod, client: clientOf(request) }),
  'POST /entries': async (request, response) => {
    const { iban, amount } = JSON.parse(await readBody(request)) as { iban?: unknown; amount?: unknown };
    if (typeof iban !== 'string' || typeof amount !== 'string') {
      return sendJson(response, 400, { error: 'an entry needs iban and amount, both text' });
    }
    const mode = drill.next();
    if (mode === 'fail') return sendJson(response, 500, { error: 'a drill: this replica fails', pod });
    const key = String(request.headers['idempotency-key'] ?? '').replaceAll('"', '');
    journal.append({ key, iban, amount });
    // Booked, and nobody will ever be told: the worst moment to die.
    if (mode === 'die-after-body') process.kill(process.pid, 'SIGKILL');
    if (mode === 'slow') await pause(slowMs);
    sendJson(response, 201, { entry: journal.size, pod, client: clientOf(request), booked: { iban, amount } });
  },
  'GET /stream': (request, response) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    let tick = 0;
    const timer = setInterval(() => response.write(`${JSON.stringify({ tick: ++tick, pod })}\n`), tickMs);
    request.socket.once('close', () => clearInterval(timer));
  },
  'GET /journal': insideOnly((_request, response) =>
    sendJson(response, 200, { entries: journal.size, counts: journal.counts(), balances: answered, drill: drill.state }),
  ),
  'POST /drill': insideOnly(async (request, response) => {
    const { mode, count } = await readJson(request);
    if (!drill.order(mode, count)) return sendJson(response, 400, { error: 'a drill needs a mode, and a count from 0' });
    sendJson(response, 200, drill.state);
  }),
});

serve(
  {
    'GET /balance': async (request, response) => {
      answered++;
      const mode = drill.next();
      if (mode === 'fail') return sendJson(response, 500, { error: 'a drill: this replica fails', pod });
      if (mode === 'slow') await pause(slowMs);
      sendJson(response, 200, { pod, client: clientOf(request), entries: journal.size });
    },
  },
  Number(process.env['QUESTIONS_PORT'] ?? 8081),
);
