/**
 * Callers in a pod that never stop asking while a test does something else: one keeps its connection, one makes a new one for
 * each request. What they saw is told at the end, with the time of each failure.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Kubectl } from './kubectl.ts';

export type LoadReport = {
  /** Requests answered with a status below 500, by kind of caller. */
  readonly answered: { readonly kept: number; readonly fresh: number };
  /** Connections that the caller with kept connections had to make. */
  readonly connections: number;
  readonly failures: readonly { readonly at: string; readonly caller: string; readonly reason: string }[];
};

export type LoadOptions = {
  readonly namespace: string;
  /** `deploy/NAME` or a pod's name; its image has Node at /usr/local/bin/node. */
  readonly target: string;
  readonly url: string;
  /** Pause between two requests of one caller, milliseconds. @default 20 */
  readonly pauseMs?: number;
};

/** Runs inside the pod. Ends when its standard input does. */
const program = `
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
const [url, pauseMs] = process.argv.slice(1);
const report = { answered: { kept: 0, fresh: 0 }, connections: 0, failures: [] };
let going = true;
process.stdin.on('end', () => { going = false; }).resume();
const kept = new Agent({ keepAlive: true, maxSockets: 1 });
const connect = kept.createConnection.bind(kept);
kept.createConnection = (...args) => { report.connections++; return connect(...args); };
const ask = (agent) => new Promise((resolve) => {
  request(url, { agent, timeout: 10_000 }, (response) => {
    response.on('error', (error) => resolve('cut: ' + error.message));
    response.on('end', () => resolve(response.statusCode < 500 ? '' : String(response.statusCode)));
    response.resume();
  }).on('timeout', function () { this.destroy(new Error('timeout')); }).on('error', (error) => resolve(error.code ?? error.message)).end();
});
async function caller(name, agent) {
  while (going) {
    const reason = await ask(agent);
    if (reason === '') report.answered[name]++;
    else report.failures.push({ at: new Date().toISOString(), caller: name, reason });
    await pause(Number(pauseMs));
  }
}
process.stdout.write('ready\\n');
await Promise.all([caller('kept', kept), caller('fresh', new Agent({ keepAlive: false }))]);
process.stdout.write(JSON.stringify(report) + '\\n');
process.exit(0);
`;

export class SteadyLoad implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #output: Promise<string>;

  private constructor(child: ChildProcess, output: Promise<string>) {
    this.#child = child;
    this.#output = output;
  }

  /** Asking when it resolves. */
  static async start(kubectl: Kubectl, options: LoadOptions): Promise<SteadyLoad> {
    const { namespace, target, url, pauseMs = 20 } = options;
    const node = ['/usr/local/bin/node', '--input-type=module', '-e', program, url, String(pauseMs)];
    const [command = '', ...args] = kubectl.command(['exec', '-i', '-n', namespace, target, '--', ...node]);
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
    const output = once(child, 'close').then(() => said);
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the load in ${namespace}/${target} ended with ${code} before it was ready`);
    });
    await Promise.race([once(child.stdout, 'data'), ended]);
    ended.catch(() => {});
    return new SteadyLoad(child, output);
  }

  /** Lets the last requests end, and tells what was seen. */
  async stop(): Promise<LoadReport> {
    this.#child.stdin?.end();
    const lines = (await this.#output).trim().split('\n');
    return JSON.parse(lines.at(-1) ?? '') as LoadReport;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
