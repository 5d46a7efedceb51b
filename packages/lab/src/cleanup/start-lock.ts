/**
 * One lab starts, or cleans, at a time on a machine. The lock is a name in the kernel's abstract socket namespace
 * (unix(7)): it goes with its holder, however that ends, so that a crash never leaves it locked. Those who wait connect
 * to the holder; the end of that connection is their turn.
 */
import net from 'node:net';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

const lockName = '\0clearmesh-labs';

export type LockOptions = {
  /** @default 30000 */
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
};

/** Runs the task while no other process does; waits for its turn. */
export async function withStartLock<T>(
  options: LockOptions,
  deps: { readonly clock: Clock },
  task: () => Promise<T>,
): Promise<T> {
  const patience = new AbortController();
  const cancel = deps.clock.after(options.timeoutMs ?? 30_000, () => patience.abort(busy()));
  const signal = AbortSignal.any([options.signal, patience.signal]);
  let lock = await tryHold();
  while (lock === undefined) {
    signal.throwIfAborted();
    await holderGone(signal);
    lock = await tryHold();
  }
  cancel();
  try {
    return await task();
  } finally {
    await lock.release();
  }
}

type Lock = { release(): Promise<void> };

function tryHold(): Promise<Lock | undefined> {
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
    server.listen(lockName, () => resolve({ release }));
  });
}

/** Resolves when the holder let go or died; both close the connection, or refuse it. */
async function holderGone(signal: AbortSignal): Promise<void> {
  const socket = net.connect({ path: lockName });
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

function busy(): MeshError {
  return new MeshError('MESH-LAB-001', {
    message: `another lab has been starting for too long (abstract socket ${lockName.slice(1)})`,
    hint: 'Find its process with: ss -xlp | grep clearmesh-labs',
  });
}
