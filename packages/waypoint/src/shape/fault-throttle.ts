/** Slows a body down to a number of bytes a second, by the clock it is given. */
import { Transform } from 'node:stream';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';

export type Throttle = {
  /** Holds one chunk at most, and takes no other until that one is through. */
  readonly stream: Transform;
  /** Lets everything through at once from now on. */
  release(): void;
};

/** Milliseconds' worth of bytes that pass together. */
const sliceMs = 100;
/** Shorter waits are saved up: timers are not finer. */
const shortestWaitMs = 5;

/** Never faster than the rate, but for what 5 ms carry. */
export function throttle(options: { readonly kibPerSecond: number }, deps: { readonly clock: Clock }): Throttle {
  const { clock } = deps;
  const bytesPerMs = (options.kibPerSecond * 1024) / 1000;
  const sliceBytes = Math.max(1, Math.floor(bytesPerMs * sliceMs));
  let released = false;
  /** When the bytes passed so far are paid for. */
  let paidMs = clock.monotonicMs();
  let cancel: () => void = nothing;
  let resume: () => void = nothing;

  const pass = (chunk: Buffer, at: number, done: () => void): void => {
    const end = released ? chunk.length : Math.min(at + sliceBytes, chunk.length);
    stream.push(chunk.subarray(at, end));
    const nowMs = clock.monotonicMs();
    paidMs = Math.max(paidMs, nowMs) + (end - at) / bytesPerMs;
    resume = () => {
      cancel();
      cancel = resume = nothing;
      if (end === chunk.length) done();
      else pass(chunk, end, done);
    };
    if (released || (end === chunk.length && paidMs - nowMs < shortestWaitMs)) resume();
    else cancel = clock.after(paidMs - nowMs, resume);
  };
  const stream = new Transform({
    decodeStrings: true,
    transform: (chunk: Buffer, _encoding, done) => pass(chunk, 0, done),
    destroy: (error, done) => {
      cancel();
      cancel = resume = nothing;
      done(error);
    },
  });
  return {
    stream,
    release: () => {
      released = true;
      resume();
    },
  };
}

function nothing(): void {}
