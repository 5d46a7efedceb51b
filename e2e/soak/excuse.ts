/** Which failures a disturbance explains. Pure. */

/** One thing that was done to the mesh, and for how long it may be felt. Times are of the clock, in milliseconds. */
export type Disturbance = {
  readonly name: string;
  readonly fromMs: number;
  /** `undefined` while it goes on. */
  readonly toMs: number | undefined;
  /** Loads that may fail meanwhile; others may not. */
  readonly excuses: readonly string[];
};

export type Failure = {
  readonly load: string;
  /** Bytes came that are not those expected: nothing excuses that. */
  readonly wrong: boolean;
  readonly startedMs: number;
  readonly atMs: number;
  readonly reason: string;
};

/** The disturbance in whose time the failed request lay, wholly or in part. */
export function excuseOf(failure: Failure, disturbances: readonly Disturbance[]): Disturbance | undefined {
  if (failure.wrong) return undefined;
  return disturbances.find(
    ({ fromMs, toMs = Infinity, excuses }) =>
      excuses.includes(failure.load) && failure.startedMs <= toMs && failure.atMs >= fromMs,
  );
}
