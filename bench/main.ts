/** `npm run bench -- tunnel [--rounds N] [--seconds S] [--json FILE]` */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { table } from './report.ts';
import { benchTunnel, machine, tunnelTitles } from './tunnel.ts';

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 1000)
    throw new InvalidArgumentError(`${text} is not a whole number from 1 to 1000`);
  return value;
}

function commit(): string {
  const ask = (...args: string[]): string => execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim();
  const changed = ask('status', '--porcelain')
    .split('\n')
    .some((line) => line !== '' && !line.includes('bench/baselines'));
  return `${ask('rev-parse', '--short', 'HEAD')}${changed ? ' with changes' : ''}`;
}

type TunnelFlags = { readonly rounds: number; readonly seconds: number; readonly json?: string };

async function tunnel(flags: TunnelFlags): Promise<void> {
  const peer = process.env['PEER_ZTUNNEL'];
  const { rounds, seconds, json } = flags;
  // Before anything is measured: a bench that cannot say what it measured is not worth its minutes.
  const measured = commit();
  const summaries = await benchTunnel({
    rounds,
    seconds,
    ...(peer === undefined ? {} : { peer }),
    onProgress: (line) => console.error(line),
  });
  const facts = {
    question: 'tunnel',
    date: new Date().toISOString().slice(0, 10),
    commit: measured,
    rounds,
    seconds,
    machine: machine(),
  };
  console.log(
    `\n${Object.entries({ ...facts.machine, commit: facts.commit, rounds, seconds })
      .map(([name, value]) => `${name} ${value}`)
      .join(' · ')}`,
  );
  console.log(`medians; in brackets the median ratio to clearmesh, round by round\n\n${table(summaries, tunnelTitles)}`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ ...facts, summaries }, null, 2)}\n`);
}

const program = new Command('bench').description(
  'Benchmarks of Clearmesh: one question each, with a naive baseline. They are measured, never asserted.',
);
program
  .command('tunnel')
  .description(
    'what the tunnel costs, against no proxy and a naive relay; PEER_ZTUNNEL=/path/to/binary adds another ztunnel to the same rounds',
  )
  .option('--rounds <n>', 'rounds; every path runs once in each', positive, 5)
  .option('--seconds <s>', 'length of each load', positive, 3)
  .option('--json <file>', 'also write every figure to this file')
  .action(tunnel);
await program.parseAsync();
