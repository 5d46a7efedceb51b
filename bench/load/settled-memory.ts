/** Resident memory once it has come to rest: a runtime that collects garbage gives back what a load left only by and by. */
import { setTimeout as pause } from 'node:timers/promises';
import { costOf } from './process-cost.ts';

const sampleMs = 500;
/** A rest: this many samples in a row, of which none differs by more than this share. */
const rest = { samples: 6, share: 0.01 } as const;
const longestMs = 30_000;

/** Whether the last samples are as good as equal. */
export function hasSettled(samples: readonly number[]): boolean {
  const last = samples.slice(-rest.samples);
  return last.length === rest.samples && Math.max(...last) - Math.min(...last) <= rest.share * Math.max(...last);
}

/** MiB of the larger process; after 30 s what it is then. */
export async function settledMib(pids: readonly number[]): Promise<number> {
  const samples: number[] = [];
  for (let spentMs = 0; spentMs < longestMs && !hasSettled(samples); spentMs += sampleMs) {
    samples.push(costOf(pids).residentMib);
    await pause(sampleMs);
  }
  return samples.at(-1) ?? Number.NaN;
}
