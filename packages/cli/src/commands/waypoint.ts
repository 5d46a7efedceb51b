/** `clearmesh waypoint apply|generate|delete|list|status`. */
import { stringify } from 'yaml';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Row } from '../terminal/rows.ts';
import { clusterClient } from '../mesh/cluster-objects.ts';
import { openMesh } from '../mesh/open-mesh.ts';
import type { MeshPlace } from '../mesh/open-mesh.ts';
import type { MeshView } from '../mesh/mesh-view.ts';
import { renderRows } from '../terminal/rows.ts';
import { waypointGateway } from '../waypoint/gateway.ts';
import type { WaypointSpec } from '../waypoint/gateway.ts';
import { allProgrammed, chosen, listRows, statusRows } from '../waypoint/tables.ts';
import type { WaypointChoice } from '../waypoint/tables.ts';
import { applyGateway, deleteGateway, enrollNamespace } from '../waypoint/write.ts';
import type { CommandDeps } from './command-deps.ts';

type Deps = Pick<CommandDeps, 'clock' | 'env' | 'console'>;

type ClusterMeshPlace = Extract<MeshPlace, { readonly kind: 'cluster' }>;

export type ApplyOptions = {
  readonly spec: WaypointSpec;
  readonly place: ClusterMeshPlace;
  readonly enrollNamespace: boolean;
  readonly overwrite: boolean;
  /** Milliseconds until it takes traffic. @default not at all */
  readonly waitMs?: number;
};

const everyMs = 1000;

export function runWaypointGenerate(spec: WaypointSpec, { console }: Pick<Deps, 'console'>): number {
  console.print(stringify(waypointGateway(spec)));
  return 0;
}

export async function runWaypointApply(options: ApplyOptions, deps: Deps, signal: AbortSignal): Promise<number> {
  const { spec, place, overwrite, waitMs } = options;
  const gateway = waypointGateway(spec);
  const { namespace, name } = spec;
  using api = await clusterClient(place, deps);
  await applyGateway(api, gateway, signal);
  deps.console.say(`waypoint ${namespace}/${name} is written`);
  // Only what is ready may be asked for: a waypoint that is named and not there refuses calls.
  const ready = waitMs === undefined || (await programmed(place, { namespace, names: [name] }, waitMs, deps, signal));
  if (!ready) {
    const seconds = Math.round((waitMs ?? 0) / 1000);
    const hint = `See clearmesh waypoint status -n ${namespace} ${name}, and whether the control plane runs: clearmesh check.`;
    throw new MeshError('MESH-KUBE-001', { message: `waypoint ${namespace}/${name} is not programmed after ${seconds} s`, hint });
  }
  if (options.enrollNamespace) {
    await enrollNamespace(api, { namespace, waypoint: name, overwrite }, signal);
    deps.console.say(`namespace ${namespace} uses waypoint ${name}`);
  }
  return 0;
}

export type DeleteOptions = {
  readonly place: ClusterMeshPlace;
  readonly namespace: string;
  readonly names: readonly string[];
  readonly all: boolean;
};

/** Exit status 1 when one that is named was not there. */
export async function runWaypointDelete(
  { place, namespace, names, all }: DeleteOptions,
  deps: Deps,
  signal: AbortSignal,
): Promise<number> {
  if (names.length === 0 && !all) {
    throw new MeshError('MESH-CONFIG-003', {
      message: 'no waypoint is named',
      hint: 'Name waypoints, or give --all for those of the namespace.',
    });
  }
  using api = await clusterClient(place, deps);
  const meant = all ? chosen(await openMesh(place, deps, signal), { namespace }).map(({ metadata }) => metadata.name) : names;
  let status = 0;
  for (const name of meant) {
    const gone = await deleteGateway(api, { namespace, name }, signal);
    deps.console.say(gone ? `waypoint ${namespace}/${name} is deleted` : `there is no waypoint ${namespace}/${name}`);
    if (!gone) status = 1;
  }
  return status;
}

export type ShowOptions = {
  readonly place: MeshPlace;
  readonly choice: WaypointChoice;
  /** Milliseconds until all of them take traffic. @default not at all */
  readonly waitMs?: number;
  readonly output: 'table' | 'json';
};

export async function runWaypointList({ place, choice, output }: ShowOptions, deps: Deps, signal: AbortSignal): Promise<number> {
  show(listRows(await openMesh(place, deps, signal), choice), choice, output, deps);
  return 0;
}

/** Exit status 1 when one of them is not programmed, or one that is named is not there. */
export async function runWaypointStatus(
  { place, choice, output, waitMs }: ShowOptions,
  deps: Deps,
  signal: AbortSignal,
): Promise<number> {
  if (waitMs !== undefined) await programmed(place, choice, waitMs, deps, signal);
  const view = await openMesh(place, deps, signal);
  show(statusRows(view, choice), choice, output, deps);
  const missing = missingNames(view, choice);
  for (const name of missing) deps.console.say(`there is no waypoint ${name}`);
  return missing.length === 0 && allProgrammed(view, choice) ? 0 : 1;
}

async function programmed(
  place: MeshPlace,
  choice: WaypointChoice,
  waitMs: number,
  deps: Deps,
  signal: AbortSignal,
): Promise<boolean> {
  const until = deps.clock.monotonicMs() + waitMs;
  for (;;) {
    const view = await openMesh(place, deps, signal);
    if (missingNames(view, choice).length === 0 && allProgrammed(view, choice)) return true;
    if (deps.clock.monotonicMs() + everyMs > until) return false;
    await delay(deps.clock, everyMs, signal);
  }
}

function missingNames(view: MeshView, choice: WaypointChoice): readonly string[] {
  const there = new Set(chosen(view, choice).map(({ metadata }) => metadata.name));
  return (choice.names ?? []).filter((name) => !there.has(name));
}

function show(rows: readonly Row[], { namespace }: WaypointChoice, output: ShowOptions['output'], { console }: Deps): void {
  if (output === 'json') return console.print(`${JSON.stringify(rows, undefined, 2)}\n`);
  if (rows.length === 0) return console.say(`there is no waypoint${namespace === undefined ? '' : ` in namespace ${namespace}`}`);
  console.print(`${renderRows(rows).join('\n')}\n`);
}
