/** A small HTTP service: a table of routes, JSON both ways, and a graceful end on SIGTERM. */
import http from 'node:http';

export type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => Promise<void> | void;

const bodyLimit = 64 * 1024;
const graceMs = 3000;

/** Serves `routes` ("GET /hello") on PORT, 8080 by default. On SIGTERM it accepts no more, finishes what runs, and ends. */
export function serve(routes: Readonly<Record<string, Handler>>): void {
  const server = http.createServer((request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const handler = routes[`${request.method} ${path}`];
    if (handler === undefined) return sendJson(response, 404, { error: `no ${request.method} ${path} here` });
    Promise.resolve(handler(request, response)).catch((error: unknown) =>
      response.headersSent ? response.destroy() : sendJson(response, 500, { error: String(error) }),
    );
  });
  server.listen({ port: Number(process.env['PORT'] ?? 8080), host: process.env['BIND'] ?? '0.0.0.0' });
  process.once('SIGTERM', () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    // A stream may never end by itself.
    setTimeout(() => process.exit(0), graceMs).unref();
  });
}

export function sendJson(response: http.ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** The request's body as text, at most 64 KiB. */
export async function readBody(request: http.IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) {
    body += String(chunk);
    if (body.length > bodyLimit) throw new Error(`a body above ${bodyLimit} bytes is not accepted`);
  }
  return body;
}
