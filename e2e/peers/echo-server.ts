/**
 * The application behind the proxy in tests: echoes, and says on standard output what reached it, so that a test can
 * prove that nothing did. One JSON line an event: { event: "connection" | "data" | "end", from, bytes? }.
 */
import { createServer } from 'node:net';
import type { Socket } from 'node:net';

function serve(socket: Socket): void {
  const from = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  const tell = (event: string, bytes?: number): boolean => process.stdout.write(`${JSON.stringify({ event, from, bytes })}\n`);
  tell('connection');
  socket.on('data', (chunk) => tell('data', chunk.length));
  socket.on('end', () => tell('end'));
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
}

const listen = (port: number, host: string): void => void createServer({ allowHalfOpen: true }, serve).listen(port, host);
listen(Number(process.env['PORT'] ?? 8080), '0.0.0.0');
listen(Number(process.env['LOOPBACK_PORT'] ?? 8081), '127.0.0.1');
