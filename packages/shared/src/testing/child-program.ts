/**
 * A program that a test runs beside itself and that never outlives it: the kernel kills the child when this process ends,
 * however it ends (PR_SET_PDEATHSIG). Its last lines are kept for the message when it fails.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { systemClock } from '../lifecycle/clock.ts';

const tailBytes = 4000;
/** Had this process died before the child asked for its death signal, none would come: the child looks once itself. */
const stillOurs = '[ "$PPID" = "$1" ] || exit 125; shift; exec "$@"';

export class ChildProgram {
  readonly name: string;
  /** Resolves with why it ended; never rejects. */
  readonly exited: Promise<string>;
  readonly #child: ChildProcess;
  #tail = '';

  /** @param command the program's path and its arguments */
  constructor(name: string, command: readonly string[], options: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv }) {
    this.name = name;
    const guarded = ['--pdeathsig', 'KILL', '--', 'sh', '-c', stillOurs, 'child', String(process.pid), ...command];
    this.#child = spawn('setpriv', guarded, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const output of [this.#child.stdout, this.#child.stderr]) {
      output?.on('data', (chunk: Buffer) => (this.#tail = (this.#tail + chunk.toString()).slice(-tailBytes)));
    }
    this.exited = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(`could not be started: ${error.message}`));
      this.#child.once('exit', (code, signal) => resolve(`ended with ${signal ?? `code ${code}`}`));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The end of what it printed. */
  get tail(): string {
    return this.#tail;
  }

  /** SIGTERM, SIGKILL after the grace in milliseconds; resolves when it has ended. */
  async stop(graceMs: number): Promise<void> {
    this.#child.kill('SIGTERM');
    const cancel = systemClock.after(graceMs, () => this.#child.kill('SIGKILL'));
    await this.exited;
    cancel();
  }

  /** Rejects when the program ends, with its last lines; for a race with what it is expected to do. */
  async mustRun(): Promise<never> {
    const reason = await this.exited;
    throw new Error(`${this.name} ${reason}; it said:\n${this.#tail}`);
  }
}
