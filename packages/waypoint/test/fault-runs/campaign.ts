/** Many runs on a few lanes, each judged as soon as it is over. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { TestCertificates } from '@clearmesh/shared/testing/test-certificates';
import type { RunHistory } from './history.ts';
import { violations } from './invariants.ts';
import { Lane } from './lane.ts';
import { drawPlan } from './plan.ts';
import { StallGuard } from './stall-guard.ts';
import { Tally } from './tally.ts';
import type { Summary } from './tally.ts';

export type CampaignOptions = {
  readonly seed: number;
  /** Numbers of the runs, in the order in which they begin. */
  readonly first: number;
  readonly runs: number;
  /** Lanes at a time. */
  readonly parallel: number;
  /** Runs with violations after which no further run begins. */
  readonly maxFailures: number;
};

/** Called after each run. */
export type OnProgress = (tally: Tally, seconds: number, history: RunHistory) => void;

/** A lane's waypoints live for so many runs. */
const runsOfWaypoint = 200;

export async function campaign(options: CampaignOptions, onProgress: OnProgress): Promise<Summary> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(tmpdir(), 'waypoint-fault-runs-key-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const keyFile = path.join(directory, 'domain.key');
  await writeFile(keyFile, Buffer.alloc(32, 7));
  const certificates = await TestCertificates.create();
  const startedMs = performance.now();
  const seconds = (): number => (performance.now() - startedMs) / 1_000;
  const tally = new Tally();
  let next = options.first;
  const lanes = Math.min(options.parallel, options.runs);
  const guard = stack.use(new StallGuard({ seed: options.seed, lanes }));
  const work = async (lane: Lane, number: number): Promise<void> => {
    for (let done = 1; next < options.first + options.runs && tally.failures.length < options.maxFailures; done += 1) {
      const run = next;
      next += 1;
      guard.note(number, run);
      const history = await lane.run(drawPlan(options.seed, run));
      tally.count(history, violations(history));
      onProgress(tally, seconds(), history);
      if (done % runsOfWaypoint === 0) await lane.replaceWaypoints();
    }
  };
  const opened: Lane[] = [];
  for (let number = 0; number < lanes; number += 1) opened.push(stack.use(await Lane.open({ number, keyFile }, certificates)));
  await Promise.all(opened.map(work));
  return tally.summary(options.seed, seconds());
}
