/**
 * One plain TCP call: HOST PORT TEXT [--hold SECONDS]. Sends the text and half-closes (unless held open), reads to the
 * end, and writes one JSON object: { connected, received, ended, error? , closedAfterMs }.
 */
import { connect } from 'node:net';

const [host = '', port = '', text = '', hold, seconds = '0'] = process.argv.slice(2);
const started = performance.now();
const outcome = { connected: false, received: '', ended: false, closedAfterMs: 0 } as {
  error?: string;
  connected: boolean;
  received: string;
  ended: boolean;
  closedAfterMs: number;
};
const socket = connect({ host, port: Number(port), allowHalfOpen: true });
const limitMs = hold === '--hold' ? Number(seconds) * 1000 : 8000;
const timer = setTimeout(() => socket.destroy(), limitMs);
socket.on('connect', () => {
  outcome.connected = true;
  if (hold === '--hold') socket.write(Buffer.from(text, 'latin1'));
  else socket.end(Buffer.from(text, 'latin1'));
});
socket.on('data', (chunk) => (outcome.received += chunk.toString('latin1')));
socket.on('end', () => {
  outcome.ended = true;
  socket.end();
});
socket.on('error', (error: NodeJS.ErrnoException) => (outcome.error = error.code ?? error.message));
socket.on('close', () => {
  clearTimeout(timer);
  outcome.closedAfterMs = Math.round(performance.now() - started);
  console.log(JSON.stringify(outcome));
});
