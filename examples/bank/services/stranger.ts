/** The stranger: calls the ledger without being part of the mesh (GET /try). */
import { askHttp } from './attempt.ts';
import { call } from './call.ts';
import { sendJson, serve } from './http-service.ts';

const ledgerUrl = process.env['LEDGER_URL'] ?? 'http://127.0.0.1:8081';

serve({
  'GET /try': async (_request, response) => sendJson(response, 200, await askHttp(`${ledgerUrl}/hello`)),
  'POST /call': call,
});
