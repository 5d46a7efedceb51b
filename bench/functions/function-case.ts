/** One function, and the naive way to the same answer. */
export type FunctionCase = {
  /** Figure by which it is reported. */
  readonly name: string;
  /** In the table; times are nanoseconds a call. */
  readonly title: string;
  /** A promise that it gives is awaited. */
  readonly ours: () => unknown;
  readonly naive: () => unknown;
  /** Whether both come to the same; asked by the tests, never while measuring. */
  readonly agree: () => boolean | Promise<boolean>;
};

/** Nanoseconds of one call, over at least `ms`; batches double, so that the clock is asked rarely. */
export async function nanosecondsPerCall(call: () => unknown, ms: number): Promise<number> {
  const until = BigInt(Math.round(ms * 1e6));
  const start = process.hrtime.bigint();
  let calls = 0;
  let passed = 0n;
  for (let batch = 1; passed < until; batch = Math.min(batch * 2, 65_536)) {
    const last = repeat(call, batch);
    if (last instanceof Promise) await last;
    calls += last instanceof Promise ? 1 : batch;
    passed = process.hrtime.bigint() - start;
  }
  return Number(passed) / calls;
}

/** What the last call gave, so that no compiler finds out that nobody wants it; a promise after the first. */
function repeat(call: () => unknown, times: number): unknown {
  let given = call();
  for (let left = given instanceof Promise ? 0 : times - 1; left > 0; left--) given = call();
  return given;
}
