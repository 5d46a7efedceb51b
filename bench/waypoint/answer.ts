/** What every part of the waypoint's bench is asked and gives. */
import type { Summary } from '../report.ts';

export type WaypointBenchOptions = {
  readonly rounds: number;
  /** Length of each load, seconds. */
  readonly seconds: number;
  readonly onProgress: (line: string) => void;
};

export type WaypointAnswer = {
  readonly part: string;
  /** The path that ratios are taken to. */
  readonly reference: string;
  readonly titles: Readonly<Record<string, string>>;
  readonly summaries: readonly Summary[];
};
