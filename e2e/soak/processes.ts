/** The processes of a mesh that runs, found by their network namespace: those that were started again have other numbers. */
import { readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { residentBytes } from '@clearmesh/lab/process/proc-stat';
import type { RunningMesh } from '../harness/mesh.ts';
import type { Sample } from './level.ts';

export type Place = { readonly name: string; readonly namespacePath: string; readonly program: string };

/** The mesh's own programs. */
export function placesOf(mesh: RunningMesh): readonly Place[] {
  const { control, nodes, pods } = mesh.ready;
  const waypoints = pods.filter(({ name }) => name.startsWith('gate-'));
  return [
    { name: 'control-plane', namespacePath: control.namespacePath, program: 'packages/control-plane/' },
    ...nodes.map(({ name, namespacePath }) => ({ name: `ztunnel ${name}`, namespacePath, program: 'packages/ztunnel/' })),
    ...waypoints.map(({ name, namespacePath }) => ({ name: `waypoint ${name}`, namespacePath, program: 'packages/waypoint/' })),
  ];
}

/** `undefined` while there is none, as between an end and the next start. */
export function processAt({ namespacePath, program }: Place): number | undefined {
  const wanted = attempt(() => `net:[${statSync(namespacePath).ino}]`);
  if (wanted === undefined) return undefined;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(program) && isWithin(pid, wanted)));
}

/** Whether any of its threads is: that which makes sockets for a pod is within the pod's network for that moment. */
function isWithin(pid: number, namespace: string): boolean {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).some((task) => attempt(() => readlinkSync(`${tasks}/${task}/ns/net`)) === namespace);
}

export function sample(places: readonly Place[]): readonly Sample[] {
  return places.flatMap((place) => {
    const pid = processAt(place);
    const found = pid === undefined ? undefined : attempt(() => held(place.name, pid));
    return found === undefined ? [] : [found];
  });
}

function held(name: string, pid: number): Sample {
  const descriptors = readdirSync(`/proc/${pid}/fd`).length;
  return { name, pid, atMs: Date.now(), residentBytes: residentBytes(pid), descriptors };
}

/** Processes end while one looks at them. */
function attempt<Value>(look: () => Value): Value | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
