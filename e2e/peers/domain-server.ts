/**
 * The application behind a waypoint in tests.
 *
 *   8080  GET /who  PUT /sum  GET /bytes/N  PUT /broken (yes|no)  WebSocket /echo
 *   9090  gRPC test.Echo: Unary, Download, Upload, Chat, Fail
 *   7000  TCP echo
 *
 * After SIGTERM it takes nothing new, and ends what it has begun.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import net from 'node:net';
import { Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { ServerDuplexStream, ServerReadableStream, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';
import { WebSocketServer } from 'ws';
import { echoService } from './echo-service.ts';
import { pseudoRandom } from './pseudo-random.ts';

const name = process.env['POD_NAME'] ?? 'server';
let broken = false;

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = request.url ?? '/';
  if (request.method === 'PUT' && url === '/broken') {
    broken = (await textOf(request)) === 'yes';
    return void response.end('set\n');
  }
  if (broken) return void response.writeHead(503).end('broken\n');
  if (request.method === 'PUT' && url === '/sum') return void response.end(JSON.stringify(await sumOf(request)));
  const bytes = /^\/bytes\/(\d+)$/.exec(url)?.[1];
  if (bytes !== undefined) return void pseudoRandom(Number(bytes)).pipe(response);
  request.resume();
  response.end(JSON.stringify({ name, forwarded: request.headers['x-forwarded-client-cert'] }));
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

async function sumOf(request: IncomingMessage): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { sha256: hash.digest('hex'), bytes };
}

const http = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy());
});
const sockets = new WebSocketServer({ server: http, path: '/echo' });
sockets.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
http.listen(8080, '0.0.0.0');

const grpc = new Server();
grpc.addService(echoService, {
  unary: (call: { readonly request: Buffer }, callback: sendUnaryData<Buffer>) => {
    const trailer = new Metadata();
    trailer.set('served-by', name);
    callback(null, call.request, trailer);
  },
  download: (call: ServerWritableStream<Buffer, Buffer>) => {
    for (let index = 0; index < Number(call.request.toString()); index++) call.write(Buffer.from(`m${index}`));
    call.end();
  },
  upload: (call: ServerReadableStream<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
    let bytes = 0;
    call.on('data', (message: Buffer) => (bytes += message.length));
    call.on('end', () => callback(null, Buffer.from(String(bytes))));
  },
  chat: (call: ServerDuplexStream<Buffer, Buffer>) => {
    call.on('data', (message: Buffer) => call.write(message));
    call.on('end', () => call.end());
  },
  fail: (_call: unknown, callback: sendUnaryData<Buffer>) =>
    callback({ code: status.FAILED_PRECONDITION, details: 'the account is closed' }),
});
grpc.bindAsync('0.0.0.0:9090', ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
});

const echo = net.createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => socket.destroy()).pipe(socket));
echo.listen(7000, () => console.log(JSON.stringify({ event: 'listening', name })));

process.once('SIGTERM', () => {
  http.close();
  http.closeIdleConnections();
  grpc.tryShutdown(() => {});
  echo.close();
  setTimeout(() => process.exit(0), 3_000).unref();
});
