/** The worker of a campaign: one target for a slice of time, then the next. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import { Draw } from '@clearmesh/shared/testing/draw';
import type { Finding, WorkerMessage, WorkerOptions } from './campaign.ts';
import { Mailbox } from './mailbox.ts';
import { TargetRun } from './target-run.ts';
import type { FuzzTarget } from './target.ts';

const sliceMs = 1000;
/** Rounds after which compiled code and corpora have their size. */
const warmRounds = 2;

const options = workerData as WorkerOptions;
const tell = (message: WorkerMessage): void => parentPort?.postMessage(message);
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function level(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

class Memory {
  readonly #grown = new Map<string, number>();
  #rounds = 0;
  #last = level();
  #warm = 0;

  /** What the slice of a target left behind. */
  note(target: string): void {
    const now = level();
    if (this.#rounds >= warmRounds) this.#grown.set(target, (this.#grown.get(target) ?? 0) + now - this.#last);
    this.#last = now;
  }

  endRound(): Finding | undefined {
    this.#rounds += 1;
    if (this.#rounds <= warmRounds) this.#warm = this.#last;
    const grown = this.#last - this.#warm;
    if (grown <= options.growthBytes) return undefined;
    const [target = '', most = 0] = [...this.#grown].sort(([, a], [, b]) => b - a)[0] ?? [];
    const message = `the memory grew by ${grown} bytes since round ${warmRounds}, by ${most} in this target`;
    return { target, kind: 'memory', message };
  }
}

async function main(): Promise<Finding | undefined> {
  const { targets } = (await import(options.targets)) as { readonly targets: readonly FuzzTarget[] };
  const mailbox = new Mailbox(options.mailbox);
  const runs = targets.flatMap((target, index) => {
    if (options.only.length > 0 && !options.only.includes(target.name)) return [];
    const draw = new Draw(options.seed, index);
    const place = { begin: (input: Uint8Array) => mailbox.begin(index, input), end: () => mailbox.end() };
    return [new TargetRun(target, { draw, place, slowMs: options.slowMs })];
  });
  if (options.replay !== undefined) return runs[0]?.judge(options.replay);
  return rounds(runs);
}

function rounds(runs: readonly TargetRun[]): Finding | undefined {
  const memory = new Memory();
  const endMs = performance.now() + options.seconds * 1000;
  const slice = Math.min(sliceMs, (options.seconds * 1000) / runs.length / 4);
  while (performance.now() < endMs) {
    for (const run of runs) {
      const finding = run.slice(slice);
      tell({ kind: 'progress', counts: runs.map(({ count }) => count) });
      if (finding !== undefined) return finding;
      memory.note(run.count.name);
    }
    const grown = memory.endRound();
    if (grown !== undefined) return grown;
  }
  return undefined;
}

const finding = await main();
tell(finding === undefined ? { kind: 'done' } : { kind: 'finding', finding });
