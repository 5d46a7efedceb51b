/**
 * Ends the process when its event loop stands still, and says in which runs: a loop without end would otherwise be a
 * campaign without one. Needs a thread of its own, since nothing on the main one would come to notice.
 */
import { Worker } from 'node:worker_threads';

/** How long the loop may stand still, milliseconds. */
const stallMs = 30_000;
const beatMs = 1_000;

const watch = `
const { workerData } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const slots = new Int32Array(workerData.memory);
let seen = -1, sinceMs = Date.now();
setInterval(() => {
  if (slots[0] !== seen) { seen = slots[0]; sinceMs = Date.now(); return; }
  if (Date.now() - sinceMs < workerData.stallMs) return;
  const runs = Array.from(slots.subarray(1)).filter((run) => run >= 0).join(', ');
  writeSync(2, 'fault-runs: V6: the event loop stands still, during runs ' + runs + ' of seed ' + workerData.seed + '\\n');
  process.kill(process.pid, 'SIGKILL');
}, ${beatMs});
`;

export class StallGuard implements AsyncDisposable {
  /** Heartbeat, then the run of each lane. */
  readonly #slots: Int32Array;
  readonly #worker: Worker;
  readonly #beat: NodeJS.Timeout;

  constructor({ seed, lanes }: { readonly seed: number; readonly lanes: number }) {
    const memory = new SharedArrayBuffer(4 * (lanes + 1));
    this.#slots = new Int32Array(memory).fill(-1);
    this.#worker = new Worker(watch, { eval: true, workerData: { memory, seed, stallMs } });
    this.#beat = setInterval(() => Atomics.add(this.#slots, 0, 1), beatMs);
  }

  /** This is what the lane does now. */
  note(lane: number, run: number): void {
    this.#slots[lane + 1] = run;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#beat);
    await this.#worker.terminate();
  }
}
