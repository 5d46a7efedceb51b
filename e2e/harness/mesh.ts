/**
 * A running mesh, as users start it: `clearmesh up -f DIR -o json`, whose standard output is one JSON object a line.
 * Tests see namespaces, processes and their output, and the directory they may edit; nothing of the source code.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export type MeshPod = {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  readonly ip: string;
  readonly namespacePath: string;
};

/** The first event: everything is up, enrolled and synced. */
export type Ready = {
  readonly event: 'ready';
  readonly workDir: string;
  readonly stateDir: string;
  readonly control: { readonly ip: string; readonly namespacePath: string };
  /** With `traces` only. */
  readonly tracesUrl?: string;
  readonly nodes: readonly { readonly name: string; readonly ip: string; readonly namespacePath: string }[];
  readonly pods: readonly MeshPod[];
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
};

/** A line of output of one of the mesh's processes. */
export type ProcessLine = { readonly event: 'line'; readonly process: string; readonly stream: string; readonly line: string };

type MeshEvent = Ready | ProcessLine | { readonly event: string };

const repository = join(import.meta.dirname, '../..');

export class RunningMesh implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #watchers = new Set<(line: ProcessLine) => void>();
  readonly #lines: ProcessLine[] = [];
  readonly directory: string;
  readonly ready: Ready;

  private constructor(
    child: ChildProcess,
    directory: string,
    ready: Ready,
    lines: ProcessLine[],
    watchers: Set<(line: ProcessLine) => void>,
  ) {
    this.#child = child;
    this.directory = directory;
    this.ready = ready;
    this.#lines = lines;
    this.#watchers = watchers;
  }

  /** Starts on a copy of `manifests`, which the test may edit; `peers` are copied beside it, with their packages. */
  static async start(options: {
    readonly manifests: string;
    readonly nodes?: readonly string[];
    /** Files to copy beside the manifests, by their place there. */
    readonly beside?: Readonly<Record<string, string>>;
    /** Take traces; `ready.tracesUrl` shows them. */
    readonly traces?: boolean;
    /** Of the certificates that proxies ask for, such as `90s`. @default that of the proxies */
    readonly certificateLifetime?: string;
    /** Absolute path of another node proxy. @default ours */
    readonly ztunnel?: string;
    /** Ctrl-C in a terminal ends the caller alone, who then ends the mesh. @default false */
    readonly ownGroup?: boolean;
    /** The main module of `clearmesh`. @default its source */
    readonly program?: string;
    /** Beside the test's own. */
    readonly env?: Readonly<Record<string, string>>;
    readonly timeoutMs?: number;
  }): Promise<RunningMesh> {
    const workspace = await mkdtemp(join(tmpdir(), 'clearmesh-e2e-'));
    const directory = join(workspace, 'manifests');
    await cp(options.manifests, directory, { recursive: true });
    await cp(join(repository, 'e2e/peers'), join(workspace, 'peers'), { recursive: true });
    await symlink(join(repository, 'node_modules'), join(workspace, 'node_modules'));
    for (const [place, file] of Object.entries(options.beside ?? {})) await cp(file, join(workspace, place));
    const nodes = (options.nodes ?? ['node-a', 'node-b']).join(',');
    const child = spawn(
      process.execPath,
      [
        options.program ?? join(repository, 'packages/cli/src/main.ts'),
        'up',
        '-f',
        directory,
        '--nodes',
        nodes,
        '-o',
        'json',
        ...(options.traces === true ? ['--traces'] : []),
        ...(options.certificateLifetime === undefined ? [] : ['--certificate-lifetime', options.certificateLifetime]),
        ...(options.ztunnel === undefined ? [] : ['--ztunnel', options.ztunnel]),
      ],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: options.ownGroup ?? false,
        env: { ...process.env, ...options.env },
      },
    );
    const lines: ProcessLine[] = [];
    const watchers = new Set<(line: ProcessLine) => void>();
    const ready = await firstReady(child, lines, watchers, options.timeoutMs ?? 60_000).catch(async (error: unknown) => {
      child.kill('SIGTERM');
      await rm(workspace, { recursive: true, force: true });
      throw error;
    });
    return new RunningMesh(child, directory, ready, lines, watchers);
  }

  pod(key: string): MeshPod {
    const found = this.ready.pods.find((pod) => `${pod.namespace}/${pod.name}` === key);
    if (found === undefined)
      throw new Error(`no pod ${key}; pods: ${this.ready.pods.map((pod) => `${pod.namespace}/${pod.name}`).join(', ')}`);
    return found;
  }

  processId(name: string): number {
    const found = this.ready.processes.find((candidate) => candidate.name === name);
    if (found === undefined)
      throw new Error(`no process ${name}; processes: ${this.ready.processes.map((candidate) => candidate.name).join(', ')}`);
    return found.pid;
  }

  /** Stops `clearmesh up` itself, so that nothing is started again and no line comes; the mesh's programs go on. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  /** Ends {@link pause}. */
  resume(): void {
    this.#child.kill('SIGCONT');
  }

  /** Lines that one process wrote so far. */
  linesOf(process: string): readonly string[] {
    return this.#lines.filter((line) => line.process === process).map((line) => line.line);
  }

  /** Told of every line from now on; what it returns ends that. */
  watch(watcher: (line: ProcessLine) => void): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  /** The first line, past or coming, that satisfies the predicate; rejects after `timeoutMs`. */
  async line(predicate: (line: ProcessLine) => boolean, timeoutMs = 10_000): Promise<ProcessLine> {
    const past = this.#lines.find(predicate);
    if (past !== undefined) return past;
    const found = Promise.withResolvers<ProcessLine>();
    const unwatch = this.watch((line) => {
      if (predicate(line)) found.resolve(line);
    });
    const timer = setTimeout(
      () =>
        found.reject(
          new Error(
            `no such line within ${timeoutMs} ms; last: ${this.#lines
              .slice(-5)
              .map((line) => line.line)
              .join('\n')}`,
          ),
        ),
      timeoutMs,
    );
    try {
      return await found.promise;
    } finally {
      clearTimeout(timer);
      unwatch();
    }
  }

  /** Stops as Ctrl-C does and waits for the end; the copy of the manifests goes too. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGINT');
      await ended;
    }
    await rm(join(this.directory, '..'), { recursive: true, force: true });
  }
}

/** Keeps at most this many lines, the newest: a long run must not fill the memory. */
const maxLines = 20_000;

function firstReady(
  child: ChildProcess,
  lines: ProcessLine[],
  watchers: ReadonlySet<(line: ProcessLine) => void>,
  timeoutMs: number,
): Promise<Ready> {
  return new Promise((resolve, reject) => {
    let stderr = '';
    const timer = setTimeout(
      () => reject(new Error(`the mesh was not ready within ${timeoutMs} ms: ${stderr.slice(-4000)}`)),
      timeoutMs,
    );
    child.stderr?.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-16_384)));
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`clearmesh up ended with status ${code}: ${stderr}`)));
    if (child.stdout === null) return reject(new Error('standard output is not a pipe'));
    createInterface({ input: child.stdout }).on('line', (text) => {
      const event = JSON.parse(text) as MeshEvent;
      if (event.event === 'ready') {
        clearTimeout(timer);
        resolve(event as Ready);
      }
      if (event.event !== 'line') return;
      if (lines.push(event as ProcessLine) > maxLines) lines.shift();
      for (const watcher of watchers) watcher(event as ProcessLine);
    });
  });
}
