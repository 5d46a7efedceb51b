/** `clearmesh status`: the mesh in a screen. */
import { defaultDeriveOptions } from '@clearmesh/control-plane/derive/options';
import { componentsOf } from '../check/facts-after.ts';
import { clusterClient, clusterObjects } from '../mesh/cluster-objects.ts';
import { meshView } from '../mesh/mesh-view.ts';
import { openMesh } from '../mesh/open-mesh.ts';
import type { MeshPlace } from '../mesh/open-mesh.ts';
import { overviewOf, renderOverview } from '../status/overview.ts';
import type { Overview } from '../status/overview.ts';
import type { CommandDeps } from './command-deps.ts';

export type StatusOptions = { readonly place: MeshPlace; readonly output: 'table' | 'json' };

type Deps = Pick<CommandDeps, 'clock' | 'env' | 'console'>;

export async function runStatus({ place, output }: StatusOptions, deps: Deps, signal: AbortSignal): Promise<number> {
  const { console } = deps;
  const overview = await look(place, deps, signal);
  if (output === 'json') console.print(`${JSON.stringify(overview, undefined, 2)}\n`);
  else console.print(`${renderOverview(overview, console.width(), console.style).join('\n')}\n`);
  return 0;
}

async function look(place: MeshPlace, deps: Deps, signal: AbortSignal): Promise<Overview> {
  if (place.kind === 'directory') return overviewOf(await openMesh(place, deps, signal), {});
  using api = await clusterClient(place, deps);
  const objects = await clusterObjects(api, { ...defaultDeriveOptions, rootNamespace: place.systemNamespace }, signal);
  const { controlPlane, nodeAgent, ztunnel } = await componentsOf(api, place.systemNamespace, signal);
  const components = { 'control plane': controlPlane, 'node agents': nodeAgent, ztunnels: ztunnel };
  return overviewOf(meshView(objects, deps.clock.now()), components);
}
