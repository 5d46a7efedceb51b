/** Which failures a disturbance explains. Pure. */

/** One thing that was done to the mesh, and for how long it may be felt. Times are of the clock, in milliseconds. */
export type Disturbance = {
  readonly name: string;
  readonly fromMs: number;
  /** `undefined` while it goes on. */
  readonly toMs: number | undefined;
  /** What is under way when it begins is let end for so long. */
  readonly drainMs: number;
  /** Loads that may fail meanwhile; others may not. */
  readonly excuses: readonly string[];
};

export type Failure = {
  readonly load: string;
  /** Bytes came that are not those expected: nothing excuses that. */
  readonly wrong: boolean;
  readonly startedMs: number;
  readonly atMs: number;
  /** Some bytes had come, and not all. */
  readonly midway: boolean;
  readonly reason: string;
};

/** Clocks and signals are not exact. */
const toleranceMs = 500;

/** The disturbance in whose time the failed request lay, wholly or in part. What was under way then is cut after the drain only. */
export function excuseOf(failure: Failure, disturbances: readonly Disturbance[]): Disturbance | undefined {
  if (failure.wrong) return undefined;
  const { load, midway, startedMs, atMs } = failure;
  return disturbances.find(({ fromMs, toMs = Infinity, drainMs, excuses }) => {
    const tooEarly = midway && startedMs < fromMs && atMs < fromMs + drainMs - toleranceMs;
    return excuses.includes(load) && startedMs <= toMs && atMs >= fromMs && !tooEarly;
  });
}
