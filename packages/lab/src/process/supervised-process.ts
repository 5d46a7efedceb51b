/**
 * Children that never outlive us.
 *
 *   running ── ends by itself ──────────────────────▶ ended
 *      └─ stop(grace): SIGTERM ── SIGKILL after it ──▶ ended
 *
 * S1  the kernel kills the child when we die, however we die (PR_SET_PDEATHSIG).
 * S2  the child leads a process group; signals go to the group, and what is left of it dies with its leader.
 * S3  `exited` resolves once, after the output was read (or {@link drainMs} later, when another process holds the pipe).
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { settlesWithin } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { toolPath } from '../host/tools.ts';
import { LineSplitter } from './line-splitter.ts';

export type OutputStream = 'stdout' | 'stderr';

export type SpawnOptions = {
  /** For messages and the run record. */
  readonly name: string;
  /** The network namespace to run in; @default that of this process */
  readonly namespacePath?: string;
  /** Program and arguments; never a shell line. */
  readonly command: readonly string[];
  /** @default the lab's work directory */
  readonly cwd?: string;
  /** Added to PATH, HOME, LANG, TZ, TMPDIR, NODE_V8_COVERAGE and the proxies' options below; nothing else is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called for each line of output, without its end; lines above 64 KiB arrive in pieces. */
  readonly onLine?: (stream: OutputStream, line: string) => void;
};

export type ProcessExit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** A child in its own process group that the kernel kills when we die. */
export interface SupervisedProcess {
  readonly name: string;
  readonly namespacePath: string | undefined;
  readonly pid: number;
  /** Resolves after the process ended and its output was read; never rejects. */
  readonly exited: Promise<ProcessExit>;
  /** The last 40 lines of output, for error messages. */
  tail(): readonly string[];
  /** SIGTERM to the group, SIGKILL after `graceMs` milliseconds; resolves when it ended. */
  stop(graceMs: number): Promise<void>;
  /** SIGKILL to the group, at once. */
  kill(): void;
}

export type SuperviseDeps = { readonly clock: Clock; readonly env: NodeJS.ProcessEnv };

const tailLines = 40;
const drainMs = 1000;
const options = ['TUNNEL_ENGINE', 'XDS_ON_DEMAND', 'ISTIO_META_DNS_CAPTURE'];
const inherited = ['HOME', 'LANG', 'TZ', 'TMPDIR', 'NODE_V8_COVERAGE', ...options];

// S1: had the parent died before the child asked for its death signal, none would come, so the child looks once itself.
const stillOurs = '[ "$PPID" = "$1" ] || exit 125; shift; exec "$@"';

/** The argument vector that runs a command under our supervision; every step replaces the one before, so the pid stays. */
export function supervisedCommand(command: readonly string[], ownPid: number, namespacePath?: string): readonly string[] {
  const entered = namespacePath === undefined ? command : ['nsenter', `--net=${namespacePath}`, '--', ...command];
  return ['setpriv', '--pdeathsig', 'KILL', '--', 'sh', '-c', stillOurs, 'clearmesh', String(ownPid), ...entered];
}

/** Starts the process, or MESH-LAB-001; a command that does not exist ends with code 127 and says so in its tail. */
export function supervise(options: SpawnOptions, deps: SuperviseDeps): Promise<SupervisedProcess> {
  const [file = '', ...args] = supervisedCommand(options.command, process.pid, options.namespacePath);
  const child = spawn(file, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...environment(deps.env), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  return new Promise((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new MeshError('MESH-LAB-001', { message: `${options.name} could not be started: ${cause.message}`, cause })),
    );
    // The pid is known from here on, and no event of the child can have been missed: they come in later turns.
    child.once('spawn', () => resolve(new Child(child, options, deps.clock)));
  });
}

function environment(env: NodeJS.ProcessEnv): Record<string, string> {
  const kept = inherited.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]] as const]));
  return { ...Object.fromEntries(kept), PATH: toolPath(env) };
}

class Child implements SupervisedProcess {
  readonly name: string;
  readonly namespacePath: string | undefined;
  readonly pid: number;
  readonly exited: Promise<ProcessExit>;
  readonly #clock: Clock;
  #state: 'running' | 'ended' = 'running';
  readonly #tail: string[] = [];

  constructor(child: ChildProcess, options: SpawnOptions, clock: Clock) {
    this.name = options.name;
    this.namespacePath = options.namespacePath;
    this.pid = child.pid ?? 0;
    this.#clock = clock;
    for (const stream of ['stdout', 'stderr'] as const) this.#follow(child[stream], stream, options.onLine);
    this.exited = this.#watch(child);
  }

  tail(): readonly string[] {
    return [...this.#tail];
  }

  async stop(graceMs: number): Promise<void> {
    this.#signal('SIGTERM');
    const cancel = this.#clock.after(graceMs, () => this.kill());
    await this.exited;
    cancel();
  }

  kill(): void {
    this.#signal('SIGKILL');
  }

  async #watch(child: ChildProcess): Promise<ProcessExit> {
    const closed = new Promise<void>((resolve) => void child.once('close', () => resolve()));
    const exit = await new Promise<ProcessExit>((resolve) => {
      child.once('exit', (code, signal) => {
        // S2, in the same turn as the exit, before the number can go to another process.
        this.#signal('SIGKILL');
        this.#state = 'ended';
        resolve({ code, signal });
      });
    });
    await settlesWithin(this.#clock, drainMs, closed);
    child.stdout?.destroy();
    child.stderr?.destroy();
    return exit;
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#state === 'ended' || this.pid === 0) return;
    try {
      process.kill(-this.pid, signal);
    } catch {
      // ESRCH: nothing of the group is left.
    }
  }

  #follow(output: Readable | null, stream: OutputStream, onLine: SpawnOptions['onLine']): void {
    const splitter = new LineSplitter();
    const emit = (lines: readonly string[]): void => {
      for (const line of lines) {
        if (this.#tail.push(line) > tailLines) this.#tail.shift();
        onLine?.(stream, line);
      }
    };
    output?.on('data', (chunk: Buffer) => emit(splitter.push(chunk)));
    output?.once('close', () => emit(splitter.end()));
    output?.on('error', () => {});
  }
}
