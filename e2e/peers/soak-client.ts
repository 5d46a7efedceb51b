/**
 * Every kind of load at once, until standard input ends: soak-client.ts JSON, with HOST:PORT of `http`, `grpc` and `echo` behind a
 * waypoint and of `direct`, an echo without one. What comes back is compared with what must. One JSON object a line:
 * `failure` for each, and `counts` of what went well, each second and at the end.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, credentials } from '@grpc/grpc-js';
import { echoService } from './echo-service.ts';
import { pseudoRandom } from './pseudo-random.ts';

type Targets = { readonly http: string; readonly grpc: string; readonly echo: string; readonly direct: string };

const targets = JSON.parse(process.argv[2] ?? '{}') as Targets;
const limitMs = 10_000;
const bulkBytes = 4_194_304;
const counts: Record<string, number> = {};
const fresh = new Agent({ keepAlive: false });
const kept = new Agent({ keepAlive: true });
const stopped = new AbortController();
process.stdin.on('end', () => stopped.abort()).resume();

/** Bytes came, and they are others than they must be. */
class WrongAnswer extends Error {}

/** Bytes came, and not all of them. */
class CutMidway extends Error {}

const tell = (event: object): boolean => process.stdout.write(`${JSON.stringify(event)}\n`);

function mustEqual(got: Buffer, wanted: Buffer, what: string): void {
  if (!got.equals(wanted)) throw new WrongAnswer(`${what}: ${got.length} bytes that are not the ${wanted.length} expected`);
}

async function load(name: string, pauseMs: number, ask: () => Promise<void>): Promise<void> {
  while (!stopped.signal.aborted) {
    const startedMs = Date.now();
    try {
      await ask();
      counts[name] = (counts[name] ?? 0) + 1;
    } catch (thrown) {
      const reason = thrown instanceof Error ? ((thrown as NodeJS.ErrnoException).code ?? thrown.message) : String(thrown);
      const wrong = thrown instanceof WrongAnswer;
      const midway = thrown instanceof CutMidway;
      tell({ event: 'failure', load: name, wrong, midway, startedMs, atMs: Date.now(), reason: wrong ? thrown.message : reason });
      await pause(100);
    }
    await pause(pauseMs);
  }
}

/** The whole body of an answer with status 200. */
async function answer(agent: Agent, method: string, path: string, body?: Buffer): Promise<Buffer> {
  const call = request({
    agent,
    method,
    path,
    host: hostOf(targets.http),
    port: portOf(targets.http),
    signal: AbortSignal.timeout(limitMs),
  });
  const response = once(call, 'response') as Promise<[IncomingMessage]>;
  call.end(body);
  const [found] = await response;
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of found as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch (thrown) {
    throw new CutMidway(`the body of ${method} ${path}: ${String(thrown)}`);
  }
  const whole = Buffer.concat(chunks);
  if (found.statusCode !== 200) throw new Error(`status ${found.statusCode}: ${whole.subarray(0, 200).toString()}`);
  return whole;
}

async function expected(bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of pseudoRandom(bytes) as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const small = await expected(20_000);
const large = await expected(bulkBytes);
const hostOf = (target: string): string => target.slice(0, target.lastIndexOf(':'));
const portOf = (target: string): number => Number(target.slice(target.lastIndexOf(':') + 1));

async function get(agent: Agent): Promise<void> {
  const bytes = Math.floor(Math.random() * small.length);
  mustEqual(await answer(agent, 'GET', `/bytes/${bytes}`), small.subarray(0, bytes), `GET /bytes/${bytes}`);
}

async function bulk(): Promise<void> {
  mustEqual(await answer(fresh, 'GET', `/bytes/${bulkBytes}`), large, 'a bulk transfer');
}

/** Shorter than what follows a disturbance: while a channel waits to connect again, it fails calls without trying. */
const reconnect = { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 500 };
const client = new Client(targets.grpc, credentials.createInsecure(), reconnect);

async function unary(): Promise<void> {
  const sent = randomBytes(Math.floor(Math.random() * 4_000));
  const same = (bytes: Buffer): Buffer => bytes;
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  client.makeUnaryRequest(echoService.unary.path, same, same, sent, { deadline: Date.now() + limitMs }, (error, value) =>
    error === null && value !== undefined ? resolve(value) : reject(new Error(`${error?.code}: ${error?.details}`)),
  );
  mustEqual(await promise, sent, 'a gRPC echo');
}

/** What comes back on a connection for what is sent; a connection that ends first is a failure. */
async function echo(socket: Socket, sent: Buffer): Promise<void> {
  const got = Buffer.alloc(sent.length);
  let length = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const recv = (chunk: Buffer): void => {
    chunk.copy(got, length);
    length += chunk.length;
    if (length >= sent.length) resolve();
  };
  const timer = setTimeout(() => reject(new Error('no echo in time')), limitMs);
  const cut = (): void => {
    const what = `cut after ${length} of ${sent.length} bytes`;
    reject(length === 0 ? new Error(what) : new CutMidway(what));
  };
  socket.on('data', recv).once('close', cut);
  try {
    socket.write(sent);
    await promise;
  } finally {
    clearTimeout(timer);
    socket.off('data', recv).off('close', cut);
  }
  mustEqual(got, sent, 'an echo');
}

async function opened(target: string): Promise<Socket> {
  const socket = connect({ host: hostOf(target), port: portOf(target) });
  socket.on('error', () => {});
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once('connect', resolve).once('close', () => reject(new Error('closed before it was connected')));
  await promise;
  return socket;
}

async function transfer(target: string): Promise<void> {
  const socket = await opened(target);
  try {
    await echo(socket, small);
    await echo(socket, large);
  } finally {
    socket.destroy();
  }
}

/** Opened once, and quiet: a few bytes every few seconds. */
async function idle(target: string): Promise<void> {
  const socket = await opened(target);
  const closed = new AbortController();
  socket.once('close', () => closed.abort());
  try {
    while (!stopped.signal.aborted) {
      await echo(socket, randomBytes(16));
      await pause(1_000 + Math.random() * 4_000, undefined, { signal: closed.signal }).catch(() => {});
      if (closed.signal.aborted) throw new Error('cut while idle');
    }
  } finally {
    socket.destroy();
  }
}

const counting = setInterval(() => tell({ event: 'counts', counts }), 1_000);
await Promise.all([
  ...[1, 2].map(() => load('http-fresh', 20, () => get(fresh))),
  ...[1, 2].map(() => load('http-kept', 20, () => get(kept))),
  ...[1, 2].map(() => load('grpc', 20, unary)),
  load('bulk', 200, bulk),
  load('direct', 200, () => transfer(targets.direct)),
  ...Array.from({ length: 5 }, () => load('idle', 10, () => idle(targets.echo))),
  ...Array.from({ length: 5 }, () => load('idle-direct', 10, () => idle(targets.direct))),
]);
clearInterval(counting);
tell({ event: 'counts', counts });
process.exit(0);
