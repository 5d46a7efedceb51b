/**
 * The question: what do tunnels cost on our own HTTP/2 engine, against the one on node:http2 (TUNNEL_ENGINE)?
 *
 *   tunnel  client → ztunnel ═ mTLS ═ ztunnel → server
 *   trio    client → ztunnel ═ mTLS ═ waypoint ═ mTLS ═ ztunnel → server
 *
 * Both engines are up at once and have their turns; nothing else differs. CPU time is that of all proxies of a path.
 */
import { join } from 'node:path';
import { RunningMesh } from '@clearmesh/e2e/harness/mesh';
import { httpTitles, measureHttp, warmUpHttp } from './load/http-figures.ts';
import { startTrio } from './paths/trio.ts';
import { summarise } from './report.ts';
import { inTurn } from './rounds.ts';
import { measure, pairPath, tunnelTitles, warmUp, ztunnels } from './tunnel.ts';
import type { WaypointAnswer, WaypointBenchOptions } from './waypoint/answer.ts';

const engines = ['node', 'framed'] as const;
const reference = 'node';

export async function benchEngine(options: WaypointBenchOptions): Promise<readonly WaypointAnswer[]> {
  return [await tunnels(options), await trios(options)];
}

async function tunnels({ rounds, seconds, onProgress }: WaypointBenchOptions): Promise<WaypointAnswer> {
  await using stack = new AsyncDisposableStack();
  const manifests = join(import.meta.dirname, 'manifests');
  const paths = [];
  for (const name of engines) {
    onProgress(`starting a mesh of two nodes on ${name} …`);
    const mesh = stack.use(await RunningMesh.start({ manifests, env: { TUNNEL_ENGINE: name } }));
    paths.push(pairPath(name, mesh, 'mesh', ztunnels(mesh)));
  }
  for (const path of paths) await warmUp(path);
  const figures = await inTurn(paths, { rounds, measure: (path) => measure(path, seconds), onProgress });
  return { part: 'tunnel', reference, titles: tunnelTitles, summaries: summarise(figures, reference) };
}

async function trios({ rounds, seconds, onProgress }: WaypointBenchOptions): Promise<WaypointAnswer> {
  await using stack = new AsyncDisposableStack();
  const paths = [];
  for (const name of engines) {
    onProgress(`starting a mesh of two nodes with a waypoint on ${name} …`);
    paths.push(stack.use(await startTrio(name, { TUNNEL_ENGINE: name })).trio);
  }
  onProgress('warming up …');
  for (const path of paths) await warmUpHttp(path);
  const figures = await inTurn(paths, { rounds, measure: (path) => measureHttp(path, seconds), onProgress });
  return { part: 'trio', reference, titles: httpTitles, summaries: summarise(figures, reference) };
}
