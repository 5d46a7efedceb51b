/** The load in a pod, as a process beside it: what went well, and every failure. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Failure } from './excuse.ts';

export type Counts = Readonly<Record<string, number>>;

type Told = ({ readonly event: 'failure' } & Failure) | { readonly event: 'counts'; readonly counts: Counts };

const targets = { http: '10.96.4.1:80', grpc: '10.96.4.1:9090', echo: '10.96.4.1:7000', direct: '10.96.4.2:7000' };

export class Load implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #failures: readonly Failure[] = [];
  #counts: Counts = {};
  #said = '';

  constructor(namespacePath: string) {
    const program = join(import.meta.dirname, '../peers/soak-client.ts');
    const command = [`--net=${namespacePath}`, '--', process.execPath, program, JSON.stringify(targets)];
    // A group of its own, so that Ctrl-C reaches the soak alone, which then ends it in order.
    const child = spawn('nsenter', command, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.#child = child;
    this.#closed = once(child, 'close');
    child.stderr.on('data', (chunk: Buffer) => (this.#said = (this.#said + chunk.toString()).slice(-4_000)));
    child.stdin.on('error', () => {});
    createInterface({ input: child.stdout }).on('line', (line) => this.#recv(JSON.parse(line) as Told));
  }

  get failures(): readonly Failure[] {
    return this.#failures;
  }

  get counts(): Counts {
    return this.#counts;
  }

  /** Lets what has begun end. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    await this.#closed;
    if (this.#child.exitCode !== 0) throw new Error(`the load ended with ${this.#child.exitCode}: ${this.#said}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await this.#closed;
  }

  #recv(told: Told): void {
    if (told.event === 'counts') this.#counts = told.counts;
    else {
      const { event: _, ...failure } = told;
      this.#failures = [...this.#failures, failure];
    }
  }
}
