/**
 * What `clearmesh up -o json` prints: one JSON object a line.
 *
 *   ready     once, when every pod is as its manifest wants it: where things are
 *   line      each line that a program of the mesh or a pod prints
 *   problems  each reading of the manifests that was refused; the last good one keeps serving
 *   traffic   each second: the rows of the live table
 *
 * Progress (pods started and ended, programs started again) goes to standard error as text.
 */
import type { Mesh } from '../up/mesh.ts';
import type { TrafficRow } from '../traffic/traffic.ts';

export type UpEvent =
  | ({ readonly event: 'ready' } & MeshPlaces)
  | { readonly event: 'line'; readonly process: string; readonly stream: string; readonly line: string }
  | { readonly event: 'problems'; readonly explanation: string }
  | { readonly event: 'traffic'; readonly time: string; readonly rows: readonly TrafficRow[] };

export type MeshPlaces = {
  readonly workDir: string;
  readonly stateDir: string;
  /** What the control plane says of every object, JSON, kept up to date. */
  readonly statusFile: string;
  /** Where traces are taken, OTLP over HTTP, and shown (`/traces`); absent without --traces. */
  readonly tracesUrl?: string;
  readonly control: { readonly ip: string; readonly namespacePath: string };
  readonly nodes: readonly { readonly name: string; readonly ip: string; readonly namespacePath: string }[];
  readonly pods: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly node: string;
    readonly ip: string;
    readonly namespacePath: string;
  }[];
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
};

export function placesOf(mesh: Mesh): MeshPlaces {
  const { lab, stateDir, programs, traces } = mesh;
  return {
    workDir: lab.workDir,
    stateDir,
    statusFile: mesh.statusOut,
    ...(traces === undefined ? {} : { tracesUrl: traces.url }),
    control: lab.control,
    nodes: lab.nodes.map(({ name, ip, namespacePath }) => ({ name, ip, namespacePath })),
    pods: lab.pods.map(({ namespace, name, node, ip, namespacePath }) => ({ namespace, name, node, ip, namespacePath })),
    processes: programs.flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }])),
  };
}
