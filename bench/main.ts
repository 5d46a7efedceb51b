/** `npm run bench -- tunnel|idle|waypoint|engine|functions [--rounds N] [--seconds S] [--json FILE]` */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { benchEngine } from './engine.ts';
import { benchFunctions } from './functions.ts';
import { benchIdle, idleTitles } from './idle.ts';
import { table } from './report.ts';
import type { Summary } from './report.ts';
import { benchTunnel, machine, tunnelTitles } from './tunnel.ts';
import { benchWaypoint, waypointParts } from './waypoint.ts';
import type { WaypointAnswer } from './waypoint/answer.ts';
import type { WaypointPart } from './waypoint.ts';

function wholeTo(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1 || value > most)
      throw new InvalidArgumentError(`${text} is not a whole number from 1 to ${most}`);
    return value;
  };
}

function commit(): string {
  const ask = (...args: string[]): string => execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim();
  const changed = ask('status', '--porcelain')
    .split('\n')
    .some((line) => line !== '' && !line.includes('bench/baselines'));
  return `${ask('rev-parse', '--short', 'HEAD')}${changed ? ' with changes' : ''}`;
}

type Flags = { readonly rounds: number; readonly seconds: number; readonly json?: string };

const onProgress = (line: string): void => console.error(line);

/** What was measured, where and how; asked before anything is, for a bench that cannot say it is not worth its minutes. */
function factsOf(question: string, { rounds, seconds }: Flags): Readonly<Record<string, unknown>> {
  return { question, date: new Date().toISOString().slice(0, 10), commit: commit(), rounds, seconds, machine: machine() };
}

function printFacts({ machine, commit, rounds, seconds }: Readonly<Record<string, unknown>>): void {
  const shown = Object.entries({ ...(machine as object), commit, rounds, seconds });
  console.log(`\n${shown.map(([name, value]) => `${name} ${String(value)}`).join(' · ')}`);
}

function writeResults(file: string | undefined, results: Readonly<Record<string, unknown>>): void {
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
}

/** Another ztunnel in the same rounds. */
function peerOption(): { readonly peer?: string } {
  const peer = process.env['PEER_ZTUNNEL'];
  return peer === undefined ? {} : { peer };
}

async function tunnel(flags: Flags): Promise<void> {
  const { rounds, seconds } = flags;
  const facts = factsOf('tunnel', flags);
  reportPaths(flags, facts, await benchTunnel({ rounds, seconds, ...peerOption(), onProgress }), tunnelTitles);
}

async function idle(flags: Flags & { readonly connections: number }): Promise<void> {
  const { rounds, seconds, connections } = flags;
  const facts = { ...factsOf('idle', flags), connections };
  reportPaths(flags, facts, await benchIdle({ rounds, seconds, connections, ...peerOption(), onProgress }), idleTitles);
}

function reportPaths(
  flags: Flags,
  facts: Readonly<Record<string, unknown>>,
  summaries: readonly Summary[],
  titles: Readonly<Record<string, string>>,
): void {
  printFacts(facts);
  console.log(`medians; in brackets the median ratio to clearmesh, round by round\n\n${table(summaries, titles)}`);
  writeResults(flags.json, { ...facts, summaries });
}

async function waypoint(flags: Flags & { readonly only?: readonly WaypointPart[] }): Promise<void> {
  const facts = factsOf('waypoint', flags);
  const { rounds, seconds, only = waypointParts } = flags;
  report(flags, facts, await benchWaypoint({ rounds, seconds, onProgress }, only));
}

async function engine(flags: Flags): Promise<void> {
  const facts = factsOf('engine', flags);
  const { rounds, seconds } = flags;
  report(flags, facts, await benchEngine({ rounds, seconds, onProgress }));
}

async function functions(flags: Flags): Promise<void> {
  const facts = factsOf('functions', flags);
  const { rounds, seconds } = flags;
  report(flags, facts, await benchFunctions({ rounds, seconds, onProgress }));
}

function report(flags: Flags, facts: Readonly<Record<string, unknown>>, answers: readonly WaypointAnswer[]): void {
  printFacts(facts);
  for (const { part, reference, titles, summaries } of answers)
    console.log(
      `${part}: medians; in brackets the median ratio to ${reference}, round by round\n\n${table(summaries, titles)}\n`,
    );
  const parts = answers.map(({ part, reference, summaries }) => ({ part, reference, summaries }));
  writeResults(flags.json, { ...facts, parts });
}

const program = new Command('bench').description(
  'Benchmarks of Clearmesh: one question each, with a naive baseline. They are measured, never asserted.',
);
/** With what every question takes. */
function question(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--rounds <n>', 'rounds; every path runs once in each', wholeTo(1000), 5)
    .option('--seconds <s>', 'length of each load', wholeTo(1000), 3)
    .option('--json <file>', 'also write every figure to this file');
}

question(
  'tunnel',
  'what the tunnel costs, against no proxy and a naive relay; PEER_ZTUNNEL=/path/to/binary adds another ztunnel to the same rounds',
).action(tunnel);
question(
  'idle',
  'what proxies keep at rest, and with many idle connections, against a naive relay; PEER_ZTUNNEL adds another ztunnel',
)
  .option('--connections <n>', 'idle connections', wholeTo(20_000), 10_000)
  .action(idle);
question('waypoint', 'what the waypoint costs: forwarding against Envoy, the mesh against two Envoy sidecars, policies in OPA')
  .addOption(new Option('--only <part...>', 'these parts only').choices(waypointParts))
  .action(waypoint);
question('engine', 'what tunnels cost on our own HTTP/2 engine, against the one on node:http2').action(engine);
question('functions', 'what a verdict, a lookup, a choice, a push and a metric cost, against the naive way').action(functions);
await program.parseAsync();
