/** A small HTTP service: a table of routes, JSON both ways, a span a request, and a graceful end on SIGTERM. */
import http from 'node:http';
import { contextOf, startSpan } from './trace.ts';
import type { Span } from './trace.ts';

/** `span` is the request's own: what it calls on its behalf becomes a child of it. */
export type Handler = (request: http.IncomingMessage, response: http.ServerResponse, span: Span) => Promise<void> | void;

const bodyLimit = 64 * 1024;
const graceMs = 3000;
/** How long a connection may wait for its next request, told to the client; one that nobody uses is not kept for long. */
const keepAliveMs = 3000;

/**
 * Serves `routes` ("GET /hello") on PORT, 8080 by default, and `GET /healthz`. On SIGTERM it accepts no more, finishes what
 * runs, and ends.
 */
export function serve(routes: Readonly<Record<string, Handler>>, port: number = Number(process.env['PORT'] ?? 8080)): void {
  const server = http.createServer({ keepAliveTimeout: keepAliveMs }, (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const name = `${request.method} ${path}`;
    // For a kubelet; no span, since nobody asked on behalf of anybody.
    if (name === 'GET /healthz') return sendJson(response, 200, { serves: true });
    const handler = routes[name];
    if (handler === undefined) return sendJson(response, 404, { error: `no ${name} here` });
    const span = startSpan(name, 'server', contextOf(request.headers['traceparent']));
    response.once('close', () => span.end({ 'http.response.status_code': response.statusCode }, response.statusCode >= 500));
    Promise.resolve(handler(request, response, span)).catch((error: unknown) =>
      response.headersSent ? response.destroy() : sendJson(response, 500, { error: String(error) }),
    );
  });
  server.listen({ port, host: process.env['BIND'] ?? '0.0.0.0' });
  process.once('SIGTERM', () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    // A stream may never end by itself.
    setTimeout(() => process.exit(0), graceMs).unref();
  });
}

/** The handler, for callers inside the pod only: what it does is nobody's business on the network. */
export function insideOnly(handler: Handler): Handler {
  return (request, response, span) => {
    if (clientOf(request) === '127.0.0.1') return handler(request, response, span);
    return sendJson(response, 403, { error: 'only from inside the pod' });
  };
}

/** The address the caller has on the wire. */
export function clientOf(request: http.IncomingMessage): string {
  return (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
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

/** The request's body as a JSON object; no body is an empty one. */
export async function readJson(request: http.IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const value: unknown = JSON.parse((await readBody(request)) || '{}');
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
