/**
 * A mesh under every kind of load while its parts are restarted.
 *
 *   start ─▶ warm-up (load) ─▶ settle, measure ─▶ load and disturbances ─▶ settle, measure ─▶ judge
 */
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Draw } from '@clearmesh/shared/testing/draw';
import { RunningMesh } from '../harness/mesh.ts';
import { Disturber } from './disturb.ts';
import { excuseOf } from './excuse.ts';
import type { Disturbance, Failure } from './excuse.ts';
import { levelOf } from './level.ts';
import type { Level, Sample } from './level.ts';
import { Load } from './load.ts';
import type { Counts } from './load.ts';
import { placesOf, sample } from './processes.ts';

export type SoakOptions = { readonly seconds: number; readonly seed: number };

export type Summary = {
  readonly seed: number;
  readonly seconds: number;
  /** What went well, by load. */
  readonly counts: Counts;
  /** Failures that a disturbance explains, by load. */
  readonly excused: Counts;
  /** Those that nothing explains, and every wrong answer. */
  readonly failures: readonly Failure[];
  readonly disturbances: readonly Disturbance[];
  /** Issued while there was load and disturbance. */
  readonly certificates: number;
  readonly levels: readonly Level[];
};

export type Progress = {
  readonly seconds: number;
  readonly counts: Counts;
  readonly failures: number;
  readonly disturbances: number;
};

const settleMs = 8_000;
const sampleMs = 5_000;
const progressMs = 30_000;
/** Much shorter than a soak, so that every certificate is renewed within it. */
const certificateLifetime = '40s';

export async function soak(
  { seconds, seed }: SoakOptions,
  onProgress: (progress: Progress) => void,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Summary> {
  say('starting a mesh of two nodes');
  const manifests = join(import.meta.dirname, '../manifests-soak');
  await using mesh = await RunningMesh.start({ manifests, certificateLifetime, ownGroup: true, timeoutMs: 120_000 });
  say(`mesh ${basename(mesh.ready.workDir)} is up`);
  signal.throwIfAborted();
  const places = placesOf(mesh);
  const caller = mesh.pod('callers/caller').namespacePath;
  const warmSeconds = Math.min(20, Math.max(5, seconds / 4));
  say(`warming up for ${warmSeconds} s`);
  const cold = await underLoad(caller, () => pause(warmSeconds * 1000, undefined, { signal }));
  const before = await settled(places, signal);
  let certificates = 0;
  mesh.watch(({ line }) => (certificates += line.includes('"certificate issued"') ? 1 : 0));
  const disturber = new Disturber(mesh, new Draw(seed, 0));
  const samples: Sample[] = [];
  const load = await underLoad(caller, async (running) => {
    const fromMs = performance.now();
    const sampling = setInterval(() => samples.push(...sample(places)), sampleMs);
    const telling = setInterval(() => onProgress(progressOf(running, disturber, fromMs)), progressMs);
    try {
      await disturber.run(AbortSignal.timeout(seconds * 1000), signal);
    } finally {
      clearInterval(sampling);
      clearInterval(telling);
    }
  });
  const after = await settled(places, signal);
  const { disturbances } = disturber;
  const failed = [...cold.failures, ...load.failures];
  const excused = failed.filter((failure) => excuseOf(failure, disturbances) !== undefined);
  return {
    seed,
    seconds,
    counts: load.counts,
    excused: countBy(excused),
    failures: failed.filter((failure) => !excused.includes(failure)),
    disturbances,
    certificates,
    levels: after.flatMap((end) => {
      const start = before.find(({ name }) => name === end.name);
      const own = [...samples.filter(({ name }) => name === end.name), end];
      return start === undefined ? [] : [levelOf(start, end, own)];
    }),
  };
}

async function underLoad(namespacePath: string, meanwhile: (load: Load) => Promise<unknown>): Promise<Load> {
  await using load = new Load(namespacePath);
  await meanwhile(load);
  await load.stop();
  return load;
}

async function settled(places: Parameters<typeof sample>[0], signal: AbortSignal): Promise<readonly Sample[]> {
  await pause(settleMs, undefined, { signal });
  return sample(places);
}

function progressOf(load: Load, { disturbances }: Disturber, fromMs: number): Progress {
  const failures = load.failures.filter((failure) => excuseOf(failure, disturbances) === undefined).length;
  const seconds = Math.round((performance.now() - fromMs) / 1000);
  return { seconds, counts: load.counts, failures, disturbances: disturbances.length };
}

export function countBy(failures: readonly Failure[]): Counts {
  const counts: Record<string, number> = {};
  for (const { load } of failures) counts[load] = (counts[load] ?? 0) + 1;
  return counts;
}
