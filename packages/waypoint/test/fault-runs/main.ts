/** `node packages/waypoint/test/fault-runs/main.ts --runs 10000 --seed 1` */
import { parseArgs } from 'node:util';
import { campaign } from './campaign.ts';
import type { CampaignOptions } from './campaign.ts';
import { formatFailure, formatSummary } from './report.ts';

const usage = `Usage: fault-runs [options]

Payments through a real waypoint under randomised faults, with a ledger that counts:
no payment doubled, none lost that was confirmed.

  --runs N       runs (default 500)
  --seed S       where the plans are drawn from (default 1)
  --run K        only run K of the seed, with its history
  --parallel N   runs at a time, 1 to 100 (default 8)
  -o, --output   text or json (default text)
  --help         this text

Exit code 1: a run broke an invariant, or a kind of fault never occurred; 2: the options are not usable.
`;

type Options = CampaignOptions & { readonly single: boolean; readonly json: boolean };

/** `undefined`: only the usage is wanted. Throws for what cannot be used. */
function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string', default: '500' },
      seed: { type: 'string', default: '1' },
      run: { type: 'string' },
      parallel: { type: 'string', default: '8' },
      output: { type: 'string', short: 'o', default: 'text' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  if (values.output !== 'text' && values.output !== 'json') throw new Error(`--output ${values.output} is neither text nor json`);
  const single = values.run !== undefined;
  return {
    seed: whole('seed', values.seed, 0, 2 ** 31),
    first: values.run === undefined ? 0 : whole('run', values.run, 0, 2 ** 31),
    runs: single ? 1 : whole('runs', values.runs, 1, 10_000_000),
    parallel: whole('parallel', values.parallel, 1, 100),
    maxFailures: 5,
    single,
    json: values.output === 'json',
  };
}

function whole(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new Error(`--${name} ${text} is not a whole number from ${min} to ${max}`);
  return value;
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  let told = 0;
  let failed = 0;
  const summary = await campaign(options, ({ runs, failures }, seconds, { lines }) => {
    if (options.single && failures.length === 0) process.stderr.write(`${lines.join('\n')}\n`);
    for (const failure of failures.slice(failed)) process.stderr.write(`${formatFailure(options.seed, failure)}\n`);
    failed = failures.length;
    if (seconds - told < 5) return;
    told = seconds;
    process.stderr.write(`${runs} of ${options.runs} runs, ${Math.round(seconds)} s, ${failed} with violations\n`);
  });
  process.stdout.write(options.json ? `${JSON.stringify(summary, null, 2)}\n` : formatSummary(summary));
  return summary.failures.length > 0 || (!options.single && summary.missing.length > 0) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (thrown) {
  process.stderr.write(`fault-runs: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  process.exitCode = 2;
}
