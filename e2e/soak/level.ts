/** Whether what processes hold stays level. Pure. */

/** What one process holds at one moment. */
export type Sample = {
  readonly name: string;
  readonly pid: number;
  readonly atMs: number;
  readonly residentBytes: number;
  readonly descriptors: number;
};

export type Level = {
  readonly name: string;
  readonly before: { readonly residentMib: number; readonly descriptors: number };
  readonly after: { readonly residentMib: number; readonly descriptors: number };
  /** Of the process that ran last, by all its samples; 0 with fewer than three. */
  readonly mibPerMinute: number;
  readonly descriptorsPerMinute: number;
  /** Processes that had this name. */
  readonly generations: number;
  /** What is too much; empty: level. */
  readonly complaint: string;
};

/** A young heap breathes: this much, and half of what there was, is no leak. */
const slackMib = 64;
const slackDescriptors = 24;

/** @param samples all of one name, in order; `before` and `after` were taken without load */
export function levelOf(before: Sample, after: Sample, samples: readonly Sample[]): Level {
  const last = samples.filter(({ pid }) => pid === after.pid);
  const grown = { mib: mib(after) - mib(before), descriptors: after.descriptors - before.descriptors };
  const complaints = [
    ...(grown.mib > slackMib + mib(before) / 2 ? [`memory grew by ${grown.mib} MiB`] : []),
    ...(grown.descriptors > slackDescriptors ? [`${grown.descriptors} descriptors more`] : []),
  ];
  return {
    name: after.name,
    before: { residentMib: mib(before), descriptors: before.descriptors },
    after: { residentMib: mib(after), descriptors: after.descriptors },
    mibPerMinute: slope(last.map(({ atMs, residentBytes }) => [atMs / 60_000, residentBytes / 1_048_576])),
    descriptorsPerMinute: slope(last.map(({ atMs, descriptors }) => [atMs / 60_000, descriptors])),
    generations: new Set(samples.map(({ pid }) => pid)).size,
    complaint: complaints.join(', '),
  };
}

function mib({ residentBytes }: Sample): number {
  return Math.round(residentBytes / 1_048_576);
}

/** By least squares. */
export function slope(points: readonly (readonly [number, number])[]): number {
  if (points.length < 3) return 0;
  const mean = (at: 0 | 1): number => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const under = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return under === 0 ? 0 : over / under;
}
