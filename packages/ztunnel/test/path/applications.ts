import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';

/** Fails a wait that takes longer than 5 s. */
export function bounded<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than 5 s`)), 5_000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A server of the test, closed with its connections on dispose. */
export class Application implements AsyncDisposable {
  readonly port: number;
  /** Connections so far, in order. */
  readonly connections: net.Socket[] = [];
  readonly #server: net.Server;

  private constructor(server: net.Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket: net.Socket) => this.connections.push(socket.on('error', () => {})));
  }

  static async listen(ip: string, serve: (socket: net.Socket) => void): Promise<Application> {
    const server = net.createServer({ allowHalfOpen: true }, serve).listen(0, ip);
    await once(server, 'listening');
    return new Application(server);
  }

  /** Sends back what it gets, and ends when the client does. */
  static echo(ip: string): Promise<Application> {
    return Application.listen(ip, (socket) => socket.pipe(socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.connections) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** How a client's connection ended. */
export type ClientEnd = { readonly data: Buffer; readonly end: 'fin' | 'reset' };

/** Everything until the connection ends. */
export function untilEnd(socket: net.Socket): Promise<ClientEnd> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  return bounded(
    new Promise<ClientEnd>((resolve) => {
      socket.once('end', () => resolve({ data: Buffer.concat(chunks), end: 'fin' }));
      socket.once('error', () => resolve({ data: Buffer.concat(chunks), end: 'reset' }));
    }),
    'the end of a client’s connection',
  );
}

/** The next bytes, at least `length` of them. */
export async function read(socket: net.Socket, length: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  while (size < length) {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) await bounded(once(socket, 'readable'), `${length} bytes`);
    else size += chunks.push(chunk) && chunk.length;
  }
  return Buffer.concat(chunks).toString();
}
