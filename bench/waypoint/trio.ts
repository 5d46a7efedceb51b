/**
 * The question: what does a request cost on its whole way through the mesh with a waypoint, against two Envoy sidecars?
 *
 *   ours    client → ztunnel ═ mTLS ═ waypoint ═ mTLS ═ ztunnel → server      two encrypted hops, HTTP read once
 *   theirs  client → sidecar ════════ mTLS ════════ sidecar → server          one encrypted hop, HTTP read twice
 *
 * Every proxy has one worker. CPU and memory are those of all proxies of a path together.
 */
import { join } from 'node:path';
import { httpTitles, measureHttp, warmUpHttp } from '../load/http-figures.ts';
import { envoyBinary } from '../paths/envoy-install.ts';
import { startSidecars } from '../paths/sidecar-pair.ts';
import { startTrio } from '../paths/trio.ts';
import { summarise } from '../report.ts';
import { inTurn } from '../rounds.ts';
import type { WaypointAnswer, WaypointBenchOptions } from './answer.ts';

export async function benchTrio({ rounds, seconds, onProgress }: WaypointBenchOptions): Promise<WaypointAnswer> {
  const binary = await envoyBinary(onProgress);
  await using stack = new AsyncDisposableStack();
  onProgress('starting two nodes with Envoy sidecars …');
  const files = join(import.meta.dirname, '../manifests');
  const sidecars = stack.use(await startSidecars(binary, { command: ['sh', 'serve.sh'], files }));
  onProgress('starting a mesh of two nodes with a waypoint …');
  const { direct, trio } = stack.use(await startTrio('clearmesh'));
  const paths = [direct, sidecars.path, trio];
  onProgress('warming up …');
  for (const path of paths) await warmUpHttp(path);
  const figures = await inTurn(paths, { rounds, measure: (path) => measureHttp(path, seconds), onProgress });
  const reference = sidecars.path.name;
  return { part: 'trio', reference, titles: httpTitles, summaries: summarise(figures, reference) };
}
