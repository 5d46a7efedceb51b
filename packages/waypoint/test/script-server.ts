/** Endpoints that misbehave: each reads what it likes, and answers bytes as a test wrote them. */
import net from 'node:net';
import http2 from 'node:http2';
import type { ServerHttp2Stream, IncomingHttpHeaders } from 'node:http2';

export type ScriptServer = { readonly server: net.Server; /** Requests that reached it. */ readonly requests: string[] };

/** @param script called with each whole request, its body included */
export function scriptServer(script: (socket: net.Socket, request: string, count: number) => void): ScriptServer {
  const requests: string[] = [];
  const server = net.createServer((socket) => {
    let held = '';
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      held += chunk.toString('latin1');
      for (let end = endOf(held); end > 0; end = endOf(held)) {
        const request = held.slice(0, end);
        held = held.slice(end);
        requests.push(request);
        script(socket, request, requests.length);
      }
    });
  });
  return { server, requests };
}

/** Answers as soon as a head has come, whatever follows. */
export function earlyServer(script: (socket: net.Socket, head: string) => void): ScriptServer {
  const requests: string[] = [];
  const server = net.createServer((socket) => {
    let held = '';
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      const before = held.includes('\r\n\r\n');
      held += chunk.toString('latin1');
      if (before || !held.includes('\r\n\r\n')) return;
      requests.push(held);
      script(socket, held);
    });
  });
  return { server, requests };
}

/** HTTP/2 without TLS, stream by stream. */
export function streamServer(
  script: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, count: number) => void,
): ScriptServer {
  const requests: string[] = [];
  const server = http2.createServer({ strictSingleValueFields: false } as http2.ServerOptions);
  server.on('session', (session) => session.on('error', () => {}));
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => {});
    requests.push(`${headers[':method']} ${headers[':path']}`);
    script(stream, headers, requests.length);
  });
  return { server, requests };
}

/** Length of the first request in it; 0: it has not come whole. */
function endOf(held: string): number {
  const head = held.indexOf('\r\n\r\n');
  if (head === -1) return 0;
  const start = head + 4;
  const length = /content-length: (\d+)/i.exec(held.slice(0, head))?.[1];
  if (length !== undefined) return held.length >= start + Number(length) ? start + Number(length) : 0;
  if (!/transfer-encoding: chunked/i.test(held.slice(0, head))) return start;
  const end = held.indexOf('0\r\n\r\n', start);
  return end === -1 ? 0 : end + 5;
}
