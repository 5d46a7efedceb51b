/**
 * The conversation with a SOCKS5 client up to its request, on its socket: the shell of message.ts.
 *
 * N1  Nothing behind the request is taken: it stays in the socket, for the other side of the connection.
 * N2  A client whose request is refused gets the answer, in order, and then the end.
 */
import type net from 'node:net';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { greetingAnswer, readSocks } from './message.ts';
import type { SocksReading, SocksTarget } from './message.ts';

/** Where to, and how many bytes of the socket it took to say so. */
export type Negotiated = { readonly target: SocksTarget; readonly read: number };

/** The client said something else than a request that can be served. */
export class SocksRefusal extends Error {
  override readonly name = 'SocksRefusal';
  /** What it is owed before the end. */
  readonly answer: Uint8Array | undefined;

  constructor(message: string, answer: Uint8Array | undefined) {
    super(message);
    this.answer = answer;
  }
}

/** Milliseconds in which who was refused is to have read that. */
const partingMs = 2_000;

/** Rejects with a {@link SocksRefusal}, or the signal's reason. The socket comes and goes paused. */
export async function negotiate(socket: net.Socket, signal: AbortSignal): Promise<Negotiated> {
  const reading = await readUntilKnown(socket, signal);
  if (reading.kind === 'asked') return { target: reading.target, read: reading.length };
  throw new SocksRefusal(`not a request that SOCKS5 is served for: ${reading.reason}`, reading.answer);
}

/** Ends a connection with an answer (N2); resolves when it is gone, at once when aborted. What else the client sends is thrown away. */
export function part(socket: net.Socket, answer: Uint8Array | undefined, clock: Clock, signal: AbortSignal): Promise<void> {
  if (socket.destroyed) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = (): void => void socket.destroy();
  const cancel = clock.after(partingMs, end);
  signal.addEventListener('abort', end, { once: true });
  socket.once('close', () => {
    cancel();
    signal.removeEventListener('abort', end);
    resolve();
  });
  if (signal.aborted) end();
  // A socket that is closed with bytes unread resets its peer, which may then lose the answer.
  socket.once('end', end).on('data', () => {});
  if (answer === undefined) socket.end();
  else socket.end(answer);
  socket.resume();
  return promise;
}

type Known = Exclude<SocksReading, { readonly kind: 'incomplete' }>;

function readUntilKnown(socket: net.Socket, signal: AbortSignal): Promise<Known> {
  const { promise, resolve, reject } = Promise.withResolvers<Known>();
  let received = Buffer.alloc(0);
  let greeted = false;
  const settle = (end: () => void): void => {
    socket.pause();
    socket.off('data', recvData).off('end', recvEnd).off('close', recvEnd);
    signal.removeEventListener('abort', recvAbort);
    end();
  };
  const recvData = (chunk: Buffer): void => {
    received = Buffer.concat([received, chunk]);
    const reading = readSocks(received);
    const isGreeted = reading.kind === 'asked' || reading.greeted;
    if (isGreeted && !greeted) socket.write(greetingAnswer);
    greeted = isGreeted;
    if (reading.kind === 'incomplete') return;
    settle(() => {
      // N1.
      if (reading.kind === 'asked' && received.length > reading.length) socket.unshift(received.subarray(reading.length));
      resolve(reading);
    });
  };
  const recvEnd = (): void =>
    settle(() => reject(new SocksRefusal('the client ended before it had asked for anything', undefined)));
  const recvAbort = (): void => settle(() => reject(signal.reason));
  signal.addEventListener('abort', recvAbort, { once: true });
  socket.on('data', recvData).once('end', recvEnd).once('close', recvEnd);
  if (signal.aborted) recvAbort();
  else socket.resume();
  return promise;
}
