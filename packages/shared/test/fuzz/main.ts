/** `npm run fuzz -- --minutes 5 --only frames --seed 1` */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { campaign } from './campaign.ts';
import type { CampaignOptions, Finding, TargetCount } from './campaign.ts';
import { targets } from './targets/all.ts';

const names = targets.map(({ name }) => name);
const usage = `Usage: fuzz [options]

Decoders fed with changed and random bytes: none throws, hangs or grows, and what it takes comes back as it was.

  --minutes N    how long (default 1; parts of a minute too)
  --only NAMES   these targets only, with commas between: ${names.join(', ')}
  --seed S       where the inputs are drawn from (default: drawn anew, and printed)
  --replay HEX   only run this input, on the one target of --only
  --help         this text

Exit code 1: something was found, with the smallest input for it; 2: the options are not usable.
`;

/** `undefined`: only the usage is wanted. Throws for what cannot be used. */
function readOptions(args: readonly string[]): CampaignOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '1' },
      only: { type: 'string', default: '' },
      seed: { type: 'string', default: String(randomInt(2 ** 31)) },
      replay: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const only = values.only.split(',').filter((name) => name !== '');
  const unknown = only.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there is no such target, only ${names.join(', ')}`);
  const minutes = Number(values.minutes);
  if (!(minutes > 0 && minutes <= 10_000)) throw new Error(`--minutes ${values.minutes} is not a number above 0, to 10000`);
  const seed = Number(values.seed);
  if (!/^\d+$/.test(values.seed) || seed >= 2 ** 31) throw new Error(`--seed ${values.seed} is not a whole number below 2^31`);
  const { replay } = values;
  if (replay !== undefined && (only.length !== 1 || !/^(?:[\da-f]{2})*$/i.test(replay)))
    throw new Error('--replay takes bytes in hex, and --only the one target that gets them');
  return {
    targets: new URL('./targets/all.ts', import.meta.url),
    only,
    seed,
    seconds: minutes * 60,
    ...(replay === undefined ? {} : { replay: Buffer.from(replay, 'hex') }),
  };
}

function table(counts: readonly TargetCount[]): string {
  const rows = counts.map(({ name, executions, seconds, outcomes }) => [
    name,
    String(executions),
    String(Math.round(executions / Math.max(seconds, 0.001))),
    String(outcomes),
  ]);
  const lines = [['target', 'executions', 'per second', 'outcomes'], ...rows];
  return lines.map(([name = '', ...figures]) => name.padEnd(12) + figures.map((one) => one.padStart(12)).join('')).join('\n');
}

function formatFinding({ target, kind, message, input, firstLength = 0 }: Finding): string {
  const what = `${target}: ${kind}\n  ${message.split('\n').join('\n  ')}`;
  if (input === undefined) return what;
  const hex = Buffer.from(input).toString('hex');
  const size = `${input.length} bytes, of ${firstLength} at first`;
  return `${what}\n  the smallest input (${size}):\n  ${hex}\n  again: npm run fuzz -- --only ${target} --replay ${hex === '' ? "''" : hex}`;
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  const stopped = new AbortController();
  process.once('SIGINT', () => stopped.abort());
  process.stderr.write(`seed ${options.seed}\n`);
  const fromMs = performance.now();
  const everyMs = Math.min(10_000, (options.seconds * 1000) / 4);
  let told = fromMs;
  const { counts, finding } = await campaign(
    options,
    (counts) => {
      if (performance.now() - told < everyMs) return;
      told = performance.now();
      const all = counts.reduce((sum, { executions }) => sum + executions, 0);
      process.stderr.write(`${Math.round((told - fromMs) / 1000)} of ${Math.round(options.seconds)} s, ${all} executions\n`);
    },
    stopped.signal,
  );
  if (options.replay === undefined) process.stdout.write(`${table(counts)}\n`);
  process.stdout.write(finding === undefined ? 'nothing was found\n' : `${formatFinding(finding)}\n`);
  return finding === undefined ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (thrown) {
  process.stderr.write(`fuzz: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  process.exitCode = 2;
}
