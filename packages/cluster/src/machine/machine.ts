/**
 * A machine of the cluster: namespaces that hang on one process, the first in its process namespace.
 *
 *   off ── boot ──▶ on: init.sh, programs as its children ── off: SIGKILL to init ──▶ off
 *
 * M1  when init ends, the kernel ends every process of the machine, containers included, and their mounts go with them.
 * M2  nothing is remembered: which machines and programs run is read from /proc, so a crash of whoever started them,
 *     at any point, changes nothing.
 * M3  programs have no other parent than init, and so outlive the command that started them.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { killAll, processesIn } from '@clearmesh/lab/cleanup/namespace-processes';
import type { RunTool } from '@clearmesh/lab/host/run-tool';
import { toolPath } from '@clearmesh/lab/host/tools';
import { stampOf } from '@clearmesh/lab/process/proc-stat';
import { namespacePath } from '@clearmesh/lab/topology/names';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { logOf, rootOf } from '../paths.ts';
import type { MachinePlan } from '../plan.ts';
import { emptyCgroups, makeCgroups } from './cgroups.ts';
import { makeRootFolder } from './root-folder.ts';

export type MachineDeps = {
  readonly clock: Clock;
  readonly run: RunTool;
  readonly env: NodeJS.ProcessEnv;
  /** The folder with Kubernetes' programs. */
  readonly programs: string;
};

const initScript = join(import.meta.dirname, 'init.sh');
const pathInside = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/kubernetes/bin';
/** The redirection is the child's own, so that nothing of ours is held open. */
const inBackground = 'log=$1; shift; exec "$@" >> "$log" 2>&1 < /dev/null &';

export class Machine {
  readonly plan: MachinePlan;
  readonly #deps: MachineDeps;

  constructor(plan: MachinePlan, deps: MachineDeps) {
    this.plan = plan;
    this.#deps = deps;
  }

  /** Starts it where it is off; its network namespace is there already. */
  async boot(): Promise<void> {
    if (initOf(this.plan) !== undefined) return;
    await makeRootFolder(this.plan);
    await makeCgroups(this.plan);
    const log = logOf(this.plan, 'init');
    mkdirSync(dirname(log), { recursive: true });
    const output = openSync(log, 'a', 0o600);
    try {
      await startInit(this.#bootCommand(), output, { ...this.#deps.env, PATH: toolPath(this.#deps.env) });
    } catch (cause) {
      const said = await readFile(log, 'utf8').catch(() => '');
      throw new MeshError('MESH-LAB-001', { message: `machine ${this.plan.name} does not start: ${said.trim()}`, cause });
    } finally {
      closeSync(output);
    }
  }

  /** Ends every process of it at once, as a power cut does. */
  async off(): Promise<void> {
    await killAll(processesIn([this.plan.namespace]), this.#deps);
    await emptyCgroups(this.plan);
  }

  /** The vector that runs a command inside; `undefined` while it is off. */
  enter(command: readonly string[]): readonly string[] | undefined {
    const init = initOf(this.plan);
    if (init === undefined) return undefined;
    const namespaces = ['--mount', '--uts', '--net', '--pid'];
    return ['nsenter', '--target', String(init), ...namespaces, '--', 'env', '-i', pathInside, 'HOME=/root', ...command];
  }

  /** Runs a command inside to its end; gives what it printed. */
  run(command: readonly string[]): Promise<string> {
    return this.#deps.run(this.#entered(command));
  }

  /** Starts a program that stays, where it is not running; true when it was started. */
  async start(command: readonly string[]): Promise<boolean> {
    const name = basename(command[0] ?? '');
    if (this.running().includes(name)) return false;
    await this.run(['setsid', 'sh', '-c', inBackground, name, `/var/log/${name}.log`, ...command]);
    return true;
  }

  /** Ends a program at once, where it runs. */
  async end(program: string): Promise<void> {
    const pids = this.#programs().flatMap(({ pid, name }) => (name === program ? [pid] : []));
    await killAll(
      pids.flatMap((pid) => stampOf(pid) ?? []),
      this.#deps,
    );
  }

  /** Names of the programs that run. */
  running(): readonly string[] {
    return this.#programs().map(({ name }) => name);
  }

  /** The end of what a program said, for messages. */
  async logTail(program: string): Promise<string> {
    const text = await readFile(logOf(this.plan, program), 'utf8').catch(() => '(no log)');
    return text.trimEnd().split('\n').slice(-12).join('\n');
  }

  #programs(): readonly { readonly pid: number; readonly name: string }[] {
    const init = initOf(this.plan);
    if (init === undefined) return [];
    return childrenOf(init).flatMap((pid) => {
      const name = programOf(pid);
      return name === undefined ? [] : [{ pid, name }];
    });
  }

  #entered(command: readonly string[]): readonly string[] {
    const entered = this.enter(command);
    if (entered !== undefined) return entered;
    const hint = 'Run: npm run cluster -- up';
    throw new MeshError('MESH-LAB-001', { message: `machine ${this.plan.name} is off`, hint });
  }

  #bootCommand(): readonly string[] {
    const own = ['unshare', '--mount', '--pid', '--uts', '--fork', '--kill-child', '--'];
    const script = ['sh', initScript, rootOf(this.plan), this.plan.name, this.#deps.programs];
    return ['nsenter', `--net=${namespacePath(this.plan.namespace)}`, '--', ...own, ...script];
  }
}

/** The process that the machine hangs on, by its number here: the first of a process namespace right below ours. */
function initOf({ namespace }: MachinePlan): number | undefined {
  return processesIn([namespace]).find(({ pid }) => {
    const levels = /^NSpid:\s+(.*)$/m.exec(readProc(pid, 'status'))?.[1]?.split(/\s+/) ?? [];
    return levels.length === 2 && levels[1] === '1';
  })?.pid;
}

function childrenOf(pid: number): readonly number[] {
  const children = readProc(pid, `task/${pid}/children`).trim();
  return children === '' ? [] : children.split(' ').map(Number);
}

/** `undefined` for a process that ended; the shell that is about to become a program counts as the program. */
function programOf(pid: number): string | undefined {
  const [path = '', , script, name] = readProc(pid, 'cmdline').split('\0');
  if (script === inBackground) return name;
  return path === '' ? undefined : basename(path);
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    // It ended in between.
    return '';
  }
}

/** Resolves when init says that it is ready, and lets go of it. */
function startInit([file = '', ...args]: readonly string[], log: number, env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(file, args, { detached: true, stdio: ['ignore', 'pipe', log], env });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`ended with ${signal ?? `code ${code}`}`)));
    // It is a pipe, as asked for above.
    const output = child.stdout as Readable;
    createInterface({ input: output }).once('line', () => {
      child.removeAllListeners('exit');
      output.destroy();
      child.unref();
      resolve();
    });
  });
}
