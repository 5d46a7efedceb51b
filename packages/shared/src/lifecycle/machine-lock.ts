/**
 * One at a time on a machine. The lock is a name in the kernel's abstract socket namespace (unix(7)): it goes with its
 * holder, however that ends, so that a crash never leaves it locked. Those who wait connect to the holder; the end of
 * that connection is their turn.
 */
import net from 'node:net';
import type { Clock } from './clock.ts';
import { Deadline } from './deadline.ts';

export type MachineLock = {
  /** The same for all who must not meet. `ss -xlp` shows it as @<name>. */
  readonly name: string;
  /** In milliseconds. */
  readonly timeoutMs: number;
  /** What is thrown when the patience is over. */
  readonly busy: () => Error;
  readonly signal: AbortSignal;
  /** Told once when somebody else holds it. */
  readonly onWait?: () => void;
};

/** Runs the task while no other process of this machine holds the lock; waits for its turn. */
export async function withMachineLock<T>(lock: MachineLock, deps: { readonly clock: Clock }, task: () => Promise<T>): Promise<T> {
  const held = await hold(lock, deps);
  try {
    return await task();
  } finally {
    await held.release();
  }
}

type Held = { release(): Promise<void> };

async function hold(lock: MachineLock, deps: { readonly clock: Clock }): Promise<Held> {
  using patience = new Deadline({ limitMs: lock.timeoutMs, reason: lock.busy }, deps);
  const signal = patience.within(lock.signal);
  const path = `\0${lock.name}`;
  let held = await tryHold(path);
  if (held === undefined) lock.onWait?.();
  while (held === undefined) {
    signal.throwIfAborted();
    await holderGone(path, signal);
    held = await tryHold(path);
  }
  return held;
}

function tryHold(path: string): Promise<Held | undefined> {
  return new Promise((resolve, reject) => {
    const waiting = new Set<net.Socket>();
    const server = net.createServer((socket) => {
      waiting.add(socket);
      socket
        .on('error', () => {})
        .once('close', () => waiting.delete(socket))
        .resume();
    });
    const release = (): Promise<void> =>
      new Promise((released) => {
        server.close(() => released());
        for (const socket of waiting) socket.destroy();
      });
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(path, () => resolve({ release }));
  });
}

/** Resolves when the holder let go or died; both close the connection, or refuse it. */
async function holderGone(path: string, signal: AbortSignal): Promise<void> {
  const socket = net.connect({ path });
  const giveUp = (): void => void socket.destroy();
  signal.addEventListener('abort', giveUp, { once: true });
  await new Promise<void>(
    (resolve) =>
      void socket
        .on('error', () => {})
        .once('close', () => resolve())
        .resume(),
  );
  signal.removeEventListener('abort', giveUp);
  signal.throwIfAborted();
}
