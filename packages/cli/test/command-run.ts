/** The command as its users run it: a process, what it says, and what it leaves behind. */
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
/** Milliseconds a run may stay silent. */
export const patienceMs = 60_000;

type Ending = { readonly status: number | null; readonly signal: NodeJS.Signals | null };

/** One run of the command, with what it said. */
export class Run {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ending>;
  stdout = '';
  stderr = '';
  readonly #waiting = new Set<() => void>();

  constructor(...args: readonly string[]) {
    this.child = spawn(process.execPath, [main, ...args], { env: { ...process.env, NO_COLOR: '1' } });
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => this.#recv(() => (this.stdout += text)));
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => this.#recv(() => (this.stderr += text)));
    this.ended = new Promise((resolve) => void this.child.once('close', (status, signal) => resolve({ status, signal })));
  }

  /** The id of the lab it made. */
  get lab(): string {
    return /\(lab ([a-z0-9]+)\)/.exec(this.stderr)?.[1] ?? '';
  }

  /** Resolves when the pattern stands in what it said; rejects when it ends, or says nothing of it in time. */
  async says(pattern: RegExp): Promise<void> {
    const late = AbortSignal.timeout(patienceMs);
    const over = this.ended.then(() => Promise.reject(new Error(`ended without ${pattern}: …${this.stderr.slice(-2000)}`)));
    while (!pattern.test(this.stdout + this.stderr)) {
      if (late.aborted) throw new Error(`no ${pattern} in …${(this.stdout + this.stderr).slice(-2000)}`);
      await Promise.race([over, new Promise<void>((resolve) => this.#waiting.add(resolve))]);
    }
    over.catch(() => {});
  }

  #recv(take: () => void): void {
    take();
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** Namespaces, processes, files and records that belong to a lab. */
export function leftovers(lab: string): readonly string[] {
  if (lab === '') return ['(the run made no lab)'];
  const namespaces = (existsSync('/run/netns') ? readdirSync('/run/netns') : []).filter((name) => name.startsWith(`cm-${lab}-`));
  const files = [`/run/clearmesh/work/${lab}`, `/run/clearmesh/labs/${lab}.json`].filter((path) => existsSync(path));
  const processes = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid && belongsTo(pid, lab));
  return [...namespaces, ...files, ...processes.map((pid) => `process ${pid}`)];
}

function belongsTo(pid: string, lab: string): boolean {
  try {
    return [readlinkSync(`/proc/${pid}/cwd`), readFileSync(`/proc/${pid}/cmdline`, 'latin1')].some((text) =>
      text.includes(`/work/${lab}`),
    );
  } catch {
    return false;
  }
}
