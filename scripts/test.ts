/**
 * `npm test`: the tiers in order, by turborepo, with one count at the end.
 *
 *   unit, component   every machine
 *   node              network namespaces: root
 *   cluster           a real Kubernetes of two nodes: root, and what host-check.ts of packages/cluster looks for
 *
 * A tier that this machine cannot run says so and why; where CI is set it fails, the cluster excepted.
 */
import { spawn } from 'node:child_process';
import { whyNot as whyNoCluster } from '@clearmesh/cluster/host-check';

type Tier = {
  readonly name: string;
  readonly args: readonly string[];
  /** Reasons why it cannot run here; none when it can. */
  readonly whyNot: () => Promise<readonly string[]>;
  /** A machine that is made for CI may still be unable to run a kubelet: said, and neither passed nor failed. @default false */
  readonly optionalInCi?: true;
};
type Count = { readonly passed: number; readonly failed: number };
type Result = Count & { readonly failures: readonly string[] };

const anywhere = (): Promise<readonly string[]> => Promise.resolve([]);

const rootOnly = (): Promise<readonly string[]> =>
  Promise.resolve(process.getuid?.() === 0 ? [] : ['it makes network namespaces and that needs root (sudo npm test)']);

const tiers: readonly Tier[] = [
  { name: 'unit', args: ['test:unit', '--concurrency=2'], whyNot: anywhere },
  { name: 'component', args: ['test:component', '--concurrency=1'], whyNot: anywhere },
  { name: 'node', args: ['test:node', '--concurrency=1'], whyNot: rootOnly },
  { name: 'cluster', args: ['test:cluster', '--concurrency=1'], whyNot: whyNoCluster, optionalInCi: true },
];

/** Sums mocha's own summaries; a task that failed without one counts as one failure. */
export function countResults(output: string, exitCode: number): Count {
  const sum = (pattern: RegExp): number => [...output.matchAll(pattern)].reduce((total, found) => total + Number(found[1]), 0);
  const passed = sum(/\b(\d+) passing\b/g);
  const failed = sum(/\b(\d+) failing\b/g);
  return { passed, failed: exitCode !== 0 && failed === 0 ? 1 : failed };
}

/** What mocha says of each failure, by task, so that nobody has to search a long log for it. */
export function failuresIn(output: string): readonly string[] {
  const failures: string[] = [];
  let task: string | undefined;
  for (const line of output.split('\n')) {
    const prefix = /^\S+:test:\w+: /.exec(line)?.[0];
    // Coloured or not.
    if (prefix !== undefined && /^\P{L}*\d+ failing\b/u.test(line.slice(prefix.length))) task = prefix;
    else if (task !== undefined && prefix !== task) task = undefined;
    if (task !== undefined) failures.push(line);
  }
  return failures;
}

function runTier(tier: Tier): Promise<Result> {
  return new Promise((resolve, reject) => {
    const turbo = spawn(
      'turbo',
      ['run', ...tier.args, '--continue', '--output-logs=full', '--log-order=grouped', '--ui=stream'],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', FORCE_COLOR: '0' },
      },
    );
    let output = '';
    turbo.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      process.stdout.write(chunk);
    });
    turbo.on('error', reject);
    turbo.on('close', (code) => resolve({ ...countResults(output, code ?? 1), failures: failuresIn(output) }));
  });
}

async function main(wanted: readonly string[]): Promise<void> {
  const unknown = wanted.find((name) => !tiers.some((tier) => tier.name === name));
  if (unknown !== undefined) {
    console.error(`There is no tier "${unknown}"; tiers: ${tiers.map((tier) => tier.name).join(', ')}. Without a name all run.`);
    process.exitCode = 2;
    return;
  }
  const total = { passed: 0, failed: 0 };
  const failures: string[] = [];
  for (const tier of tiers.filter((candidate) => wanted.length === 0 || wanted.includes(candidate.name))) {
    const reasons = await tier.whyNot();
    if (reasons.length > 0) {
      console.log(`\ntier ${tier.name}: not run, because ${reasons.join('; ')}`);
      if (process.env['CI'] !== undefined && tier.optionalInCi !== true) total.failed += 1;
      continue;
    }
    console.log(`\ntier ${tier.name}`);
    const count = await runTier(tier);
    total.passed += count.passed;
    total.failed += count.failed;
    failures.push(...count.failures);
  }
  if (failures.length > 0) console.log(`\nWhat failed:\n${failures.join('\n')}`);
  console.log(`\n${total.passed} passed, ${total.failed} failed`);
  process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
}

await main(process.argv.slice(2));
