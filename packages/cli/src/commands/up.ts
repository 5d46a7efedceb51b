/** `clearmesh up -f DIR`: a mesh for a directory of manifests, until Ctrl-C. */
import type { OtherZtunnels } from '../arguments/ztunnel-option.ts';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import { showLiveTable } from '../traffic/live-table.ts';
import { explainProblems } from '../up/manifest-errors.ts';
import { Mesh } from '../up/mesh.ts';
import type { MeshDeps, MeshOptions } from '../up/mesh-parts.ts';
import type { CommandDeps } from './command-deps.ts';
import { placesOf } from './up-events.ts';
import type { UpEvent } from './up-events.ts';

export type UpOptions = {
  readonly directory: string;
  readonly nodes: number | readonly string[];
  readonly output: 'text' | 'json';
  /** Run a receiver of traces. */
  readonly traces: boolean;
  /** Where the status of objects is written. */
  readonly statusOut?: string;
  /** Of the certificates that proxies ask for. */
  readonly certificateLifetime?: string;
  /** Node proxies other than ours. */
  readonly ztunnel?: OtherZtunnels;
};

const everyMs = 1000;
const settleLimitMs = 60_000;

export async function runUp(options: UpOptions, deps: CommandDeps, signal: AbortSignal): Promise<number> {
  return options.output === 'json' ? upWithEvents(options, deps, signal) : upWithTable(options, deps, signal);
}

async function upWithTable(options: UpOptions, deps: CommandDeps, signal: AbortSignal): Promise<number> {
  const { console } = deps;
  let notes: Notes | undefined;
  // Once a table is drawn over and over, nothing else may write between its lines.
  const say = (line: string): void => (notes === undefined ? console.say(line) : notes.add(line));
  const onProblems: MeshDeps['onProblems'] = (problems) =>
    say(`${explainProblems(problems)}\n  the last good manifests keep serving`);
  await using mesh = await Mesh.start(meshOptions(options), { ...deps, say, warn: say, onProblems }, signal);
  notes = console.interactive ? new Notes() : undefined;
  const living = AbortSignal.any([signal, mesh.failure]);
  const table = { title: `${options.directory}, until Ctrl-C`, everyMs };
  const traffic = (until: AbortSignal): ReturnType<Mesh['traffic']> => mesh.traffic(until);
  await showLiveTable(table, { ...deps, console, traffic, notes: () => [...hints(mesh), ...(notes?.last ?? [])] }, living);
  mesh.failure.throwIfAborted();
  return 0;
}

async function upWithEvents(options: UpOptions, deps: CommandDeps, signal: AbortSignal): Promise<number> {
  const { clock, console } = deps;
  const print = (event: UpEvent): void => console.print(`${JSON.stringify(event)}\n`);
  const meshDeps: MeshDeps = {
    ...deps,
    say: console.say,
    warn: console.say,
    onOutput: (process, stream, line) => print({ event: 'line', process, stream, line }),
    onProblems: (problems) => {
      const explanation = explainProblems(problems);
      console.say(`${explanation}\n  the last good manifests keep serving`);
      print({ event: 'problems', explanation });
    },
  };
  await using mesh = await Mesh.start(meshOptions(options), meshDeps, signal);
  await mesh.settled(settleLimitMs, signal);
  print({ event: 'ready', ...placesOf(mesh) });
  const living = AbortSignal.any([signal, mesh.failure]);
  while (!living.aborted) {
    const rows = await mesh.traffic(living).catch(() => undefined);
    if (rows !== undefined) print({ event: 'traffic', time: new Date(clock.now()).toISOString(), rows });
    await delay(clock, everyMs, living).catch(() => {});
  }
  mesh.failure.throwIfAborted();
  return 0;
}

function meshOptions({ directory, nodes, traces, statusOut, certificateLifetime, ztunnel }: UpOptions): MeshOptions {
  const asked = {
    ...(statusOut === undefined ? {} : { statusOut }),
    ...(certificateLifetime === undefined ? {} : { certificateLifetime }),
    ...(ztunnel === undefined ? {} : { otherZtunnels: ztunnel }),
  };
  return { directory, nodes, traces, ...asked, execPath: process.execPath };
}

/** Why a table stays empty, where that is no accident. */
function hints({ kubelet: { sandboxes } }: Mesh): readonly string[] {
  if (sandboxes.length === 0 || sandboxes.some(({ spec }) => spec.enrolled)) return [];
  return ['no pod is in the mesh: write the label istio.io/dataplane-mode: ambient on a Namespace'];
}

/** The last few events, for the foot of the table. */
class Notes {
  #lines: readonly string[] = [];

  get last(): readonly string[] {
    return this.#lines;
  }

  add(line: string): void {
    this.#lines = [...this.#lines, line].slice(-8);
  }
}
