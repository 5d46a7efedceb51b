/** Waits with a bound, so that a test that hangs says on what. */
import type { EventEmitter } from 'node:events';

/** The promise's value, or an error that names what did not come within `limitMs` (5 s unless told). */
export async function bounded<T>(promise: Promise<T>, what: string, limitMs = 5000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves at the next event of that name; an `error` event does not reject. */
export function event(emitter: EventEmitter, name: string, limitMs?: number): Promise<unknown> {
  return bounded(new Promise((resolve) => emitter.once(name, (value: unknown) => resolve(value))), `event '${name}'`, limitMs);
}

/** Polls a condition once per turn of the loop. */
export async function until(condition: () => boolean, what: string, limitMs = 5000): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
