/** `clearmesh demo`: the small bank, step by step, then a live table. */
import { fileURLToPath } from 'node:url';
import { checkHost, missingToolsError } from '@clearmesh/lab/host/tools';
import { keepBusy } from '../demo/background-traffic.ts';
import { formatHeader, formatStep, formatSummary } from '../demo/format.ts';
import { MeshWorld } from '../demo/mesh-world.ts';
import { allHold } from '../demo/report.ts';
import type { DemoReport, WireReport } from '../demo/report.ts';
import { steps } from '../demo/steps.ts';
import { walk } from '../demo/walk.ts';
import { nothingSeen, wireReport } from '../demo/wire.ts';
import { withoutText } from '../terminal/console.ts';
import type { Console } from '../terminal/console.ts';
import { showLiveTable } from '../traffic/live-table.ts';
import { explainProblems } from '../up/manifest-errors.ts';
import { Mesh } from '../up/mesh.ts';
import type { CommandDeps } from './command-deps.ts';

export type DemoOptions = { readonly once: boolean; readonly output: 'text' | 'json' };

const startLimitMs = 60_000;
const bank = fileURLToPath(new URL('../../../../examples/bank', import.meta.url));

const header = [
  'Clearmesh: a small bank on two simulated nodes',
  'node-a  payments-0, analytics-0, stranger-0, ledger-waypoint-0 (from step 9 on)',
  'node-b  ledger-0, ledger-1, store-0 (Redis)',
  'Policy: payments may call ledger, strictly not customer-analytics.',
];

/** Exit status 0 when every step holds, else 1. */
export async function runDemo(options: DemoOptions, deps: CommandDeps, signal: AbortSignal): Promise<number> {
  const console = options.output === 'json' ? withoutText(deps.console) : deps.console;
  const missing = await checkHost();
  if (missing.length > 0) throw missingToolsError(missing);
  const started = deps.clock.monotonicMs();
  let walking = false;
  // During the walk the steps speak; what else happened is of interest when they do not hold.
  const aside: string[] = [];
  const say = (line: string): void => void (walking ? aside.push(line) : console.say(line));
  await using mesh = await Mesh.start(
    { directory: bank, onCopy: true, traces: true, execPath: process.execPath },
    {
      ...deps,
      say: (line) => void (walking || console.say(line)),
      warn: say,
      onProblems: (problems) => say(explainProblems(problems)),
    },
    signal,
  );
  await mesh.settled(startLimitMs, signal);
  walking = true;
  const living = AbortSignal.any([signal, mesh.failure]);
  await using world = new MeshWorld({ ...deps, mesh });
  const report = await takeWalk(world, console, living, () => deps.clock.monotonicMs() - started);
  walking = false;
  if (!report.ok) aside.forEach(console.say);
  if (options.output === 'json') deps.console.print(`${JSON.stringify(report)}\n`);
  if (!options.once && options.output === 'text') await live(mesh, world, { ...deps, console }, living);
  mesh.failure.throwIfAborted();
  return report.ok ? 0 : 1;
}

async function takeWalk(world: MeshWorld, console: Console, signal: AbortSignal, elapsedMs: () => number): Promise<DemoReport> {
  const text = { width: Math.min(80, console.width()), style: console.style };
  console.print(`${formatHeader(header, text)}\n`);
  const onStep = (step: DemoReport['steps'][number], number: number): void =>
    console.print(`${formatStep(step, number, text)}\n`);
  const taken = await walk(world, { steps, onStep }, signal);
  const wire: WireReport = await world.heard().then(wireReport, () => nothingSeen);
  const ok = allHold(taken, steps.length) && wire.plaintextBytes === 0 && wire.tlsConnections > 0;
  const report = { ok, steps: taken, wire, durationMs: Math.round(elapsedMs()) };
  console.print(`${formatSummary(report, text)}\n`);
  return report;
}

async function live(mesh: Mesh, world: MeshWorld, deps: CommandDeps, signal: AbortSignal): Promise<void> {
  const title = 'Live, until Ctrl-C';
  const traffic = (until: AbortSignal): ReturnType<Mesh['traffic']> => mesh.traffic(until);
  await Promise.all([keepBusy(world, signal), showLiveTable({ title }, { ...deps, traffic, notes: () => [] }, signal)]);
}
