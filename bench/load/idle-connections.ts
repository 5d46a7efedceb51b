/** Connections that are opened, carry one byte there and back, and then say nothing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { BenchPath } from '../paths/path.ts';

const openDeadlineMs = 120_000;

export class IdleConnections {
  readonly #close: () => Promise<number>;

  private constructor(close: () => Promise<number>) {
    this.#close = close;
  }

  /** Resolves when all of them are open. */
  static async open(path: BenchPath, count: number): Promise<IdleConnections> {
    const script = join(import.meta.dirname, '../idle/holder.ts');
    const command = [process.execPath, script, path.host, String(path.httpPort), String(count)];
    const holder = spawn('nsenter', [`--net=${path.clientNamespacePath}`, '--', ...command], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: holder.stdout })[Symbol.asyncIterator]();
    const timer = setTimeout(() => holder.kill('SIGKILL'), openDeadlineMs);
    const { done } = await lines.next();
    clearTimeout(timer);
    if (done === true) throw new Error(`${path.name}: ${count} connections were not open after ${openDeadlineMs / 1000} s`);
    return new IdleConnections(async () => {
      const exited = once(holder, 'exit');
      holder.stdin.end();
      const lost = Number((await lines.next()).value ?? Number.NaN);
      await exited;
      return lost;
    });
  }

  /** Closes them, and tells how many had been lost before. */
  close(): Promise<number> {
    return this.#close();
  }
}
