/**
 * The question: what does a proxy keep when nothing happens, at rest and with many connections open that say nothing?
 *
 * Every round starts every path anew, for memory at rest is that of a proxy nobody has used yet. Ours are bundles, as in
 * an image: from source, what strips the types stays in memory. Each connection has carried one byte there and back.
 * Memory is that of the larger proxy, CPU of all proxies of a path together.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { RunningMesh } from '@clearmesh/e2e/harness/mesh';
import { addBundle } from '@clearmesh/images/bundle';
import { componentOf } from '@clearmesh/images/component';
import { FileTree } from '@clearmesh/images/file-tree';
import { IdleConnections } from './load/idle-connections.ts';
import { costed } from './load/path-load.ts';
import { settledMib } from './load/settled-memory.ts';
import { startNaiveRelay } from './paths/naive-relay.ts';
import type { BenchPath } from './paths/path.ts';
import { summarise } from './report.ts';
import type { Figures, Summary } from './report.ts';
import { inTurn } from './rounds.ts';
import { pairPath, ztunnels } from './tunnel.ts';

export type IdleBenchOptions = {
  readonly rounds: number;
  /** How long CPU is counted while the connections are idle. */
  readonly seconds: number;
  readonly connections: number;
  /** Path of another ztunnel-compatible binary. */
  readonly peer?: string;
  readonly onProgress: (line: string) => void;
};

/** Row titles of the table, in order. */
export const idleTitles: Readonly<Record<string, string>> = {
  restMib: 'memory at rest, MiB',
  openMib: 'memory with the connections, MiB',
  connections: '  connections',
  kibPerConnection: '  KiB/connection',
  openCpuUsPerConnection: 'CPU to open one, µs',
  idleCpuShare: 'CPU while they are idle, % of a core',
  lost: 'connections lost',
};

type World = {
  readonly name: string;
  /** Connections it can hold. @default as many as asked for */
  readonly most?: number;
  readonly start: (stack: AsyncDisposableStack) => Promise<BenchPath>;
};

export async function benchIdle(options: IdleBenchOptions): Promise<Summary[]> {
  await using stack = new AsyncDisposableStack();
  options.onProgress('bundling …');
  const program = await bundled(stack);
  const rounds = await inTurn(worlds(program, options.peer), {
    rounds: options.rounds,
    measure: (world) => measure(world, options),
    onProgress: options.onProgress,
  });
  return summarise(rounds, 'clearmesh');
}

/** The main module of `clearmesh`, beside which lie the programs that it starts. */
async function bundled(stack: AsyncDisposableStack): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'clearmesh-bench-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const tree = new FileTree();
  await addBundle(tree, componentOf('cli'), '.');
  await tree.writeTo(directory);
  return join(directory, 'main.mjs');
}

function worlds(program: string, peer: string | undefined): readonly World[] {
  const files = join(import.meta.dirname, 'idle');
  const mesh = (ztunnel?: string): Promise<RunningMesh> =>
    RunningMesh.start({
      manifests: join(import.meta.dirname, 'manifests'),
      beside: { 'manifests/serve.sh': join(files, 'serve.sh'), 'manifests/echo.ts': join(files, 'echo.ts') },
      program,
      ...(ztunnel === undefined ? {} : { ztunnel }),
    });
  const naive: World = {
    name: 'naive relay',
    // It may have as many descriptors as we, and needs two a connection.
    most: Math.floor((descriptorLimit() - 200) / 2),
    start: async (stack) => {
      const relay = await startNaiveRelay(stack.use(await mesh()));
      stack.defer(relay.stop);
      return relay.path;
    },
  };
  const tunnelled = (name: string, ztunnel?: string): World => ({
    name,
    start: async (stack) => {
      const running = stack.use(await mesh(ztunnel));
      return pairPath(name, running, 'mesh', ztunnels(running));
    },
  });
  return [naive, tunnelled('clearmesh'), ...(peer === undefined ? [] : [tunnelled('peer', peer)])];
}

/** Node raises its own soft limit to the hard one. */
function descriptorLimit(): number {
  const [, hard = '1024'] = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return Number(hard);
}

async function measure({ start, most = Infinity }: World, options: IdleBenchOptions): Promise<Figures> {
  const { seconds } = options;
  const connections = Math.min(options.connections, most);
  await using stack = new AsyncDisposableStack();
  const path = await start(stack);
  const restMib = await settledMib(path.pids);
  const { result: held, cpuSeconds } = await costed(path.pids, () => IdleConnections.open(path, connections));
  const openMib = await settledMib(path.pids);
  const idle = await costed(path.pids, () => pause(seconds * 1000));
  return {
    restMib,
    openMib,
    connections,
    kibPerConnection: ((openMib - restMib) * 1024) / connections,
    openCpuUsPerConnection: (cpuSeconds * 1e6) / connections,
    idleCpuShare: (idle.cpuSeconds / seconds) * 100,
    lost: await held.close(),
  };
}
