/**
 * The question: what does the tunnel cost, against no proxy at all and against the least a relay can do?
 *
 * Every round runs every path in turn, so that ratios compare what ran under the same conditions. CPU time covers all
 * proxies of a path together (both ends of the tunnel); memory is the larger proxy's, after the load.
 */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { runIn } from '@clearmesh/e2e/harness/command';
import { RunningMesh } from '@clearmesh/e2e/harness/mesh';
import { iperfArguments, parseIperf } from './load/iperf3.ts';
import { costed, keepAliveFigures, keepAliveTitles, wrkFrom } from './load/path-load.ts';
import type { WrkLoad } from './load/path-load.ts';
import { costOf } from './load/process-cost.ts';
import type { WrkResult } from './load/wrk.ts';
import { startNaiveRelay } from './paths/naive-relay.ts';
import { bulkPort, httpPort } from './paths/path.ts';
import type { BenchPath } from './paths/path.ts';
import { summarise } from './report.ts';
import type { Figures, Summary } from './report.ts';
import { inTurn } from './rounds.ts';

export type TunnelBenchOptions = {
  /** @default 5 */
  readonly rounds: number;
  /** Length of each load, seconds. @default 3 */
  readonly seconds: number;
  /** Path of another ztunnel-compatible binary; it is told of the mesh by our control plane and node agent. */
  readonly peer?: string;
  readonly onProgress: (line: string) => void;
};

/** Row titles of the table, in order. */
export const tunnelTitles: Readonly<Record<string, string>> = {
  ...keepAliveTitles,
  oneRequestsPerSecond: 'requests/s, 1 connection',
  oneP50Us: '  p50, µs',
  freshRequestsPerSecond: 'new connections/s, 32 at once',
  freshCpuUsPerRequest: '  CPU, µs/connection',
  bulkMbitPerSecond: 'bulk, Mbit/s, 1 stream',
  bulkCpuSecondsPerGigabyte: '  CPU, s/GB',
  residentMib: 'resident memory, MiB, larger proxy',
  errors: 'errors',
};

export async function benchTunnel(options: TunnelBenchOptions): Promise<Summary[]> {
  await using stack = new AsyncDisposableStack();
  options.onProgress('starting a mesh of two nodes …');
  const manifests = join(import.meta.dirname, 'manifests');
  const mesh = stack.use(await RunningMesh.start({ manifests }));
  const relay = await startNaiveRelay(mesh);
  stack.defer(relay.stop);
  const paths: BenchPath[] = [
    pairPath('no proxy', mesh, 'direct', []),
    relay.path,
    pairPath('clearmesh', mesh, 'mesh', ztunnels(mesh)),
  ];
  if (options.peer !== undefined) {
    options.onProgress(`starting the peer ${options.peer} on two nodes of its own …`);
    const peers = stack.use(await RunningMesh.start({ manifests, ztunnel: options.peer }));
    paths.push(pairPath('peer', peers, 'mesh', ztunnels(peers)));
  }
  for (const path of paths) await warmUp(path);
  const rounds = await inTurn(paths, {
    rounds: options.rounds,
    measure: (path) => measure(path, options.seconds),
    onProgress: options.onProgress,
  });
  return summarise(rounds, 'clearmesh');
}

/** Machine facts that belong to figures. */
export function machine(): Readonly<Record<string, string | number>> {
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version, openssl: process.versions.openssl };
}

export function pairPath(name: string, mesh: RunningMesh, namespace: string, pids: readonly number[]): BenchPath {
  const client = mesh.pod(`${namespace}/client`);
  return { name, clientNamespacePath: client.namespacePath, host: mesh.pod(`${namespace}/server`).ip, httpPort, bulkPort, pids };
}

export function ztunnels(mesh: RunningMesh): number[] {
  return mesh.ready.nodes.map((node) => mesh.processId(`ztunnel ${node.name}`));
}

export async function warmUp(path: BenchPath): Promise<void> {
  await wrk(path, { connections: 8, seconds: 2, fresh: false });
}

export async function measure(path: BenchPath, seconds: number): Promise<Figures> {
  const keepAlive = await costed(path.pids, () => wrk(path, { connections: 32, seconds, fresh: false }));
  const one = await wrk(path, { connections: 1, seconds, fresh: false });
  const fresh = await costed(path.pids, () => wrk(path, { connections: 32, seconds, fresh: true }));
  const bulk = await costed(path.pids, () => iperf(path, seconds));
  return {
    ...keepAliveFigures(keepAlive),
    oneRequestsPerSecond: one.requestsPerSecond,
    oneP50Us: one.p50Us,
    freshRequestsPerSecond: fresh.result.requestsPerSecond,
    freshCpuUsPerRequest: (fresh.cpuSeconds * 1e6) / fresh.result.requests,
    bulkMbitPerSecond: bulk.result.bitsPerSecond / 1e6,
    bulkCpuSecondsPerGigabyte: bulk.cpuSeconds / (bulk.result.bytes / 1e9),
    residentMib: costOf(path.pids).residentMib,
    errors: keepAlive.result.errors + one.errors + fresh.result.errors,
  };
}

function wrk(path: BenchPath, load: WrkLoad): Promise<WrkResult> {
  return wrkFrom(path.clientNamespacePath, `http://${path.host}:${path.httpPort}/`, load);
}

async function iperf(path: BenchPath, seconds: number): Promise<ReturnType<typeof parseIperf>> {
  const command = iperfArguments({ host: path.host, port: path.bulkPort, seconds });
  return parseIperf((await runIn(path.clientNamespacePath, command, { timeoutMs: (seconds + 15) * 1000 })).stdout);
}
