/** What endpoints do wrong, and what becomes of it; one table with refusals.ts. */
import { constants } from 'node:http2';
import type net from 'node:net';
import type { Ask } from './http-client.ts';
import type { LedgerSpec } from './ledger-configuration.ts';
import { scriptServer, streamServer } from './script-server.ts';
import type { ScriptServer } from './script-server.ts';

export type FailureRow = {
  readonly what: string;
  readonly server: () => ScriptServer;
  /** The application is not there any more. */
  readonly gone?: boolean;
  readonly spec?: LedgerSpec;
  readonly ask?: Ask;
  /** Status, kind, flag and outcome. */
  readonly ends: string;
  /** Requests that the endpoint saw. */
  readonly dispatched: number;
  readonly attempts?: number;
};

export const closing = (script: (socket: net.Socket) => void): ScriptServer => scriptServer((socket) => script(socket));
export const silent = (): ScriptServer => closing(() => {});
export const answering = (text: string): ScriptServer => closing((socket) => void socket.write(text, 'latin1'));
export const resetting = (code: number): ScriptServer => streamServer((stream) => stream.close(code));

export const fast = { timeouts: { requestMs: 250 } } as const;
export const post: Ask = { method: 'POST', body: 'abc' };
const retryAll = { on: ['reset', 'per-try-timeout', '5xx'], attempts: 1 } as const;

export const endpointFailures: readonly FailureRow[] = [
  {
    what: 'an application that is not there',
    server: silent,
    gone: true,
    ends: '503 connect-failure URX not-dispatched',
    dispatched: 0,
    attempts: 2,
  },
  {
    what: 'an endpoint that never answers',
    server: silent,
    spec: { resilience: fast },
    ends: '504 request-timeout UT unknown',
    dispatched: 1,
  },
  {
    what: 'an endpoint slower than an attempt may be',
    server: silent,
    spec: { resilience: { timeouts: { backendRequestMs: 100 } } },
    ask: post,
    ends: '504 per-try-timeout UT unknown',
    dispatched: 1,
  },
  {
    what: 'a stream in which nothing moves',
    server: silent,
    spec: { resilience: { timeouts: { idleMs: 100 } } },
    ask: post,
    ends: '504 idle-timeout SI unknown',
    dispatched: 1,
  },
  {
    what: 'an endpoint that dies with the body read',
    server: () => closing((socket) => socket.destroy()),
    ask: post,
    ends: '503 reset UC unknown',
    dispatched: 1,
  },
  {
    what: 'the same, where the policy asks for retries, with POST',
    server: () => closing((socket) => socket.destroy()),
    spec: { resilience: { retry: retryAll } },
    ask: post,
    ends: '503 reset UC unknown',
    dispatched: 1,
  },
  {
    what: 'the same, where the policy asks for retries, with PUT',
    server: () => closing((socket) => socket.destroy()),
    spec: { resilience: { retry: retryAll } },
    ask: { method: 'PUT', body: 'abc' },
    ends: '503 reset URX unknown',
    dispatched: 2,
    attempts: 2,
  },
  {
    what: 'an endpoint that dies in the head',
    server: () => closing((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-le')),
    ask: post,
    ends: '503 reset UC unknown',
    dispatched: 1,
  },
  {
    what: 'garbage for an answer',
    server: () => answering('SSH-2.0-OpenSSH_9.7\r\n'),
    ask: post,
    ends: '502 bad-answer UPE unknown',
    dispatched: 1,
  },
  {
    what: 'an answer with two lengths',
    server: () => answering('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok'),
    ask: post,
    ends: '502 bad-answer UPE unknown',
    dispatched: 1,
  },
  {
    what: 'an answer with a head too large',
    server: () => answering(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(80_000)}\r\ncontent-length: 2\r\n\r\nok`),
    ask: post,
    ends: '502 bad-answer UPE unknown',
    dispatched: 1,
  },
  {
    what: 'another protocol, unasked',
    server: () => answering('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
    ask: post,
    ends: '503 reset UC unknown',
    dispatched: 1,
  },
  {
    what: 'a head that trickles',
    server: () => closing((socket) => void trickle(socket)),
    spec: { resilience: fast },
    ask: post,
    ends: '504 request-timeout UT unknown',
    dispatched: 1,
  },
  {
    what: 'an answer of 503',
    server: () => answering('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy'),
    ends: '503 - - completed',
    dispatched: 1,
  },
  {
    what: 'a stream refused, with POST',
    server: () => resetting(constants.NGHTTP2_REFUSED_STREAM),
    spec: { protocol: 'HTTP2' },
    ask: post,
    ends: '503 refused-stream URX not-dispatched',
    dispatched: 2,
    attempts: 2,
  },
  {
    what: 'a stream reset, with POST',
    server: () => resetting(constants.NGHTTP2_INTERNAL_ERROR),
    spec: { protocol: 'HTTP2' },
    ask: post,
    ends: '503 reset UC unknown',
    dispatched: 1,
  },
];

async function trickle(socket: net.Socket): Promise<void> {
  for (const sign of 'HTTP/1.1 200 OK\r\n'.repeat(10)) {
    if (socket.destroyed) return;
    socket.write(sign);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
