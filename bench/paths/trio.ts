/** Client → ztunnel → waypoint → ztunnel → server, as `clearmesh up` runs them on two nodes; and a pair without any proxy. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { runIn } from '@clearmesh/e2e/harness/command';
import { RunningMesh } from '@clearmesh/e2e/harness/mesh';
import { processesIn } from '@clearmesh/lab/cleanup/namespace-processes';
import { delay, systemClock } from '@clearmesh/shared/lifecycle/clock';
import type { HttpPath } from './http-path.ts';
import { httpPort } from './path.ts';

export type RunningTrio = AsyncDisposable & { readonly direct: HttpPath; readonly trio: HttpPath };

/** What manifests-waypoint/trio.yaml says. */
const serviceIp = '10.96.0.40';
const waypoint = 'mesh/waypoint-0';
const startDeadlineMs = 10_000;
const pollMs = 200;

/** @param env of the proxies, such as TUNNEL_ENGINE */
export async function startTrio(name: string, env: Readonly<Record<string, string>> = {}): Promise<RunningTrio> {
  await using stack = new AsyncDisposableStack();
  const manifests = await mkdtemp(join(tmpdir(), 'clearmesh-bench-'));
  stack.defer(() => rm(manifests, { recursive: true, force: true }));
  const folder = join(import.meta.dirname, '..');
  // The servers are those of the tunnel's bench.
  for (const file of ['nginx.conf', 'serve.sh']) await cp(join(folder, 'manifests', file), join(manifests, file));
  await cp(join(folder, 'manifests-waypoint'), manifests, { recursive: true });
  const mesh = stack.use(await RunningMesh.start({ manifests, env }));
  const proxies = mesh.ready.nodes.map((node) => mesh.processId(`ztunnel ${node.name}`));
  // The waypoint is all that runs in its pod.
  const pids = [...proxies, ...processesIn([basename(mesh.pod(waypoint).namespacePath)]).map(({ pid }) => pid)];
  const clientNamespacePath = mesh.pod('mesh/client').namespacePath;
  const url = `http://${serviceIp}:${httpPort}/`;
  await requireWaypoint(clientNamespacePath, url);
  // Each request is a line of the access log. Who reads the lines would run on the cores that are measured, so nobody does:
  // the waypoint makes every line and, once its queue is full, drops it.
  mesh.pause();
  stack.defer(() => mesh.resume());
  const owned = stack.move();
  return {
    direct: {
      name: 'no proxy',
      clientNamespacePath: mesh.pod('direct/client').namespacePath,
      url: `http://${mesh.pod('direct/server').ip}:${httpPort}/`,
      pids: [],
    },
    trio: { name, clientNamespacePath, url, pids },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The waypoint names every answer; without it the bench would measure something else. It may be a moment late. */
async function requireWaypoint(clientNamespacePath: string, url: string): Promise<void> {
  const signal = AbortSignal.timeout(startDeadlineMs);
  for (;;) {
    const { stdout, stderr } = await runIn(clientNamespacePath, ['curl', '-sSi', '--max-time', '5', url]);
    if (/^HTTP\/1\.1 200[^]*^x-request-id: /im.test(stdout)) return;
    if (signal.aborted) throw new Error(`no answer by way of a waypoint: ${stdout}${stderr}`);
    await delay(systemClock, pollMs, signal).catch(() => {});
  }
}
