/** `npm run soak -- --minutes 60 --seed 1` */
import { parseArgs } from 'node:util';
import { complaintsOf, formatProgress, formatSummary } from './report.ts';
import { soak } from './soak.ts';
import type { SoakOptions } from './soak.ts';

const usage = `Usage: soak [options]

Mixed load between the pods of a mesh, through ztunnels and a waypoint, while pods, policies, waypoints, ztunnels and the control
plane are restarted and certificates live for 40 s: no wrong answer, no failure that no restart explains, nothing that grows.

  --minutes N    how long (default 5; parts of a minute too)
  --seed S       where the restarts are drawn from (default 1)
  -o, --output   text or json (default text)
  --help         this text

Exit code 1: something did not hold; 2: the options are not usable; 130: interrupted.
`;

/** `undefined`: only the usage is wanted. Throws for what cannot be used. */
function readOptions(args: readonly string[]): (SoakOptions & { readonly json: boolean }) | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '5' },
      seed: { type: 'string', default: '1' },
      output: { type: 'string', short: 'o', default: 'text' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  if (values.output !== 'text' && values.output !== 'json') throw new Error(`--output ${values.output} is neither text nor json`);
  const minutes = Number(values.minutes);
  if (!(minutes > 0 && minutes <= 30_000)) throw new Error(`--minutes ${values.minutes} is not a number above 0, to 30000`);
  if (!/^\d{1,9}$/.test(values.seed)) throw new Error(`--seed ${values.seed} is not a whole number of up to 9 digits`);
  return { seconds: minutes * 60, seed: Number(values.seed), json: values.output === 'json' };
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  if (process.getuid?.() !== 0) throw new Error('it makes network namespaces and that needs root (sudo npm run soak)');
  const stopped = new AbortController();
  const say = (line: string): boolean => process.stderr.write(`${line}\n`);
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stopped.abort(new Error(`ended by ${name}`)));
  try {
    const summary = await soak(options, (progress) => say(formatProgress(progress)), say, stopped.signal);
    process.stdout.write(options.json ? `${JSON.stringify(summary, null, 2)}\n` : formatSummary(summary));
    return complaintsOf(summary).length === 0 ? 0 : 1;
  } catch (thrown) {
    if (!stopped.signal.aborted) throw thrown;
    say('ended: load, pods and nodes are removed');
    return 130;
  }
}

try {
  process.exitCode = await main();
} catch (thrown) {
  process.stderr.write(`soak: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  process.exitCode = 2;
}
