/**
 * A store for where no Redis is at hand: counters in memory, asked in Redis's inline form (PING, INCR key, GET key) on PORT,
 * 6379 by default. On HEALTH_PORT, 8080 by default, it says whether it is there.
 */
import net from 'node:net';
import { serve } from './http-service.ts';

const lineLimit = 1024;
const keyLimit = 1024;
const counters = new Map<string, number>();

const server = net.createServer((socket) => {
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    const lines = (text + chunk).split('\r\n');
    text = lines.pop() ?? '';
    if (text.length > lineLimit) return socket.destroy();
    for (const line of lines) socket.write(answer(line.split(' ')));
  });
  socket.on('error', () => socket.destroy());
});

function answer([command = '', key]: readonly string[]): string {
  switch (command.toUpperCase()) {
    case 'PING':
      return '+PONG\r\n';
    case 'INCR':
      return key === undefined ? wrongArguments(command) : increase(key);
    case 'GET': {
      const value = String(counters.get(key ?? '') ?? '');
      return value === '' ? '$-1\r\n' : `$${value.length}\r\n${value}\r\n`;
    }
    default:
      return `-ERR unknown command '${command}'\r\n`;
  }
}

function increase(key: string): string {
  if (!counters.has(key) && counters.size >= keyLimit) return '-OOM too many keys\r\n';
  const value = (counters.get(key) ?? 0) + 1;
  counters.set(key, value);
  return `:${value}\r\n`;
}

function wrongArguments(command: string): string {
  return `-ERR wrong number of arguments for '${command.toLowerCase()}' command\r\n`;
}

server.listen({ port: Number(process.env['PORT'] ?? 6379), host: process.env['BIND'] ?? '0.0.0.0' });
serve({}, Number(process.env['HEALTH_PORT'] ?? 8080));
process.once('SIGTERM', () => server.close());
