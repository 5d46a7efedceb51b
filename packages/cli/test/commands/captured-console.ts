/** A console that keeps what it is told. */
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { createConsole } from '../../src/terminal/console.ts';
import type { CommandDeps } from '../../src/commands/command-deps.ts';

export class Captured {
  out = '';
  err = '';
  readonly deps: Pick<CommandDeps, 'clock' | 'env' | 'console'>;

  constructor(env: NodeJS.ProcessEnv = {}, columns = 120) {
    const stdout = { columns, write: (text: string): unknown => (this.out += text) };
    const stderr = { write: (text: string): unknown => (this.err += text) };
    this.deps = { clock: systemClock, env, console: createConsole(stdout, stderr, {}) };
  }
}
