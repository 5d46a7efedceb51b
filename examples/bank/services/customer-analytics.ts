/** customer-analytics: counts its reports in a Redis of its own (GET /report). */
import { askTcp } from './attempt.ts';
import { call } from './call.ts';
import { sendJson, serve } from './http-service.ts';

const storeAddress = process.env['STORE_ADDRESS'] ?? '127.0.0.1:6379';

serve({
  'GET /report': async (_request, response) => sendJson(response, 200, await askTcp(storeAddress, 'INCR reports\r\n')),
  'POST /call': call,
});
