/**
 * Asks every HOST:PORT of its arguments, all at once: `GET /` in HTTP/1.1. Writes one JSON object, HOST:PORT to what came of it:
 * `http` for an answer in HTTP, `bytes` for any other, `closed` for an accepted connection that ends without a byte, else the error.
 * One that neither answers nor ends within 8 s is `silent`.
 */
import { connect } from 'node:net';

async function ask(host: string, port: number): Promise<string> {
  const socket = connect({ host, port });
  let received = '';
  let connected = false;
  let error: string | undefined;
  const { promise: over, resolve } = Promise.withResolvers<'closed' | 'silent'>();
  const timer = setTimeout(() => resolve('silent'), 8_000);
  socket.on('connect', () => {
    connected = true;
    socket.write(`GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
  });
  socket.on('data', (chunk) => (received += chunk.toString('latin1')));
  socket.on('error', (failure: NodeJS.ErrnoException) => (error = failure.code ?? failure.message));
  socket.on('close', () => resolve('closed'));
  const end = await over;
  clearTimeout(timer);
  socket.destroy();
  if (received.startsWith('HTTP/')) return 'http';
  if (received !== '') return 'bytes';
  return connected ? end : (error ?? end);
}

const targets = process.argv.slice(2);
const outcomes = await Promise.all(
  targets.map(async (target) => {
    const colon = target.lastIndexOf(':');
    return [target, await ask(target.slice(0, colon), Number(target.slice(colon + 1)))] as const;
  }),
);
console.log(JSON.stringify(Object.fromEntries(outcomes)));
