/**
 * Regenerates what is derived from another file: the protobuf code of packages/shared, the pages of docs/errors, the
 * definitions of our kinds in the chart base, and what commands print in docs/CLI.md.
 * `node scripts/generate.ts` writes; with `--check` nothing is written, and files out of step are named with exit code 1.
 * docs/METRICS.md is written by hand; that it names the metrics of the code, all of them and no others, is checked here, and that
 * files and tests which docs/compatibility.md and docs/LIMITS.md name are there.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, relative } from 'node:path';
import { CertificateMetrics } from '@clearmesh/shared/admin/certificate-metrics';
import { createMetrics } from '@clearmesh/control-plane/admin/control-plane-metrics';
import { definitionFiles } from '@clearmesh/control-plane/define/definitions';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { AgentMetrics } from '@clearmesh/node-agent/health/agent-metrics';
import { registerWaypointGauges } from '@clearmesh/waypoint/telemetry/metrics/waypoint-gauges';
import { WaypointMetrics } from '@clearmesh/waypoint/telemetry/metrics/waypoint-metrics';
import { registerLoadMetrics, sumLoad } from '@clearmesh/ztunnel/admin/load-metrics';
import { Metrics } from '@clearmesh/ztunnel/admin/metrics';
import { registerFreshness } from '@clearmesh/ztunnel/local/freshness-gauge';
import { cliPage, expandCliPage } from './cli-page.ts';
import { brokenReferences } from './page-references.ts';
import { errorCodes } from '../packages/shared/src/observe/error-codes.ts';

/** Content by path relative to the repository. */
type Files = ReadonlyMap<string, string>;

const root = join(import.meta.dirname, '..');
const sharedPackage = 'packages/shared';
const wireCode = `${sharedPackage}/src/wire/gen`;
const errorPages = 'docs/errors';
const definitions = 'charts/base/files/crds';
const metricsPage = 'docs/METRICS.md';

const sources: Readonly<Record<(typeof errorCodes)[keyof typeof errorCodes]['source'], string>> = {
  downstream: 'the client side of the connection',
  upstream: 'the side that Clearmesh called',
  configuration: 'the configuration',
  internal: 'Clearmesh or its host',
};

await main(process.argv.includes('--check'));

async function main(check: boolean): Promise<void> {
  const made = [...(await generateWireCode()), ...describeErrors(), ...defineKinds()];
  const expected = new Map([...made, [cliPage, await expandCliPage(root)]]);
  const trees = await Promise.all([wireCode, errorPages, definitions].map((folder) => readTree(root, folder)));
  const actual = new Map([...trees.flatMap((tree) => [...tree]), [cliPage, await readFile(join(root, cliPage), 'utf8')]]);
  const stale = [...expected].filter(([path, text]) => actual.get(path) !== text).map(([path]) => path);
  const surplus = [...actual.keys()].filter((path) => !expected.has(path));
  if (check) return report([...stale, ...surplus, ...(await compareMetrics()), ...(await brokenReferences(root))]);
  for (const path of surplus) await rm(join(root, path));
  for (const path of stale) await write(path, expected.get(path) ?? '');
  process.stdout.write(`${stale.length} written, ${surplus.length} removed, ${expected.size - stale.length} unchanged\n`);
}

function report(outOfStep: readonly string[]): void {
  if (outOfStep.length === 0) return;
  const list = outOfStep.map((path) => `  ${path}\n`).join('');
  process.stderr.write(`out of step with their source (run node scripts/generate.ts):\n${list}`);
  process.exitCode = 1;
}

async function generateWireCode(): Promise<Files> {
  const directory = await mkdtemp(join(tmpdir(), 'clearmesh-generate-'));
  try {
    const binaries = join(root, 'node_modules/.bin');
    // buf finds its plugin on the PATH.
    const env = { ...process.env, PATH: `${binaries}${delimiter}${process.env['PATH'] ?? ''}` };
    execFileSync(join(binaries, 'buf'), ['generate', '--output', directory], {
      cwd: join(root, sharedPackage),
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const generated = await readTree(directory, 'src/wire/gen');
    return new Map([...generated].map(([path, text]) => [`${sharedPackage}/${path}`, text]));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function defineKinds(): Files {
  return new Map([...definitionFiles()].map(([name, text]) => [`${definitions}/${name}`, text]));
}

function describeErrors(): Files {
  const codes = Object.entries(errorCodes);
  const pages = codes.map(([code, entry]): [string, string] => [
    `${errorPages}/${code}.md`,
    `# ${code}

${entry.meaning}

| | |
|---|---|
| Caused by | ${sources[entry.source]} (\`${entry.source}\`) |
| May succeed when tried again | ${entry.retry ? 'yes' : 'no'} |

## What to do

${entry.remedy}
`,
  ]);
  const rows = codes.map(([code, { meaning, source }]) => `| [${code}](${code}.md) | ${meaning} | ${source} |`);
  const index = `# Error codes

Every error of Clearmesh ends with a code in brackets. Codes are never reused. These pages are generated from
\`packages/shared/src/observe/error-codes.ts\`.

| code | meaning | source |
|---|---|---|
${rows.join('\n')}
`;
  return new Map([[`${errorPages}/README.md`, index], ...pages]);
}

/** Metrics that only the code or only the page has. */
async function compareMetrics(): Promise<readonly string[]> {
  const { registry } = new Metrics({ version: '' }, { clock: systemClock });
  registerLoadMetrics(() => sumLoad([]), { registry });
  const certificates = new CertificateMetrics({ registry, clock: systemClock });
  certificates.observe({ certificates: { health: { failing: 0, firstExpiryMs: 0 } }, trust: { listsDueMs: 0 } });
  registerFreshness(registry);
  const ztunnel = await registry.getMetricsAsJSON();
  const waypoint = await waypointMetrics();
  const controlPlane = createMetrics()
    .registry.text()
    .matchAll(/^# TYPE (\S+)/gm);
  const inCode = new Set([
    ...[...ztunnel, ...waypoint, ...(await agentMetrics())].map(({ name }) => name),
    ...Array.from(controlPlane, ([, name = '']) => name),
  ]);
  const page = await readFile(join(root, metricsPage), 'utf8');
  const onPage = new Set(Array.from(page.matchAll(/^\| `([a-z_]+)` \| (?:counter|gauge|histogram)/gm), ([, name = '']) => name));
  return [...inCode.symmetricDifference(onPage)].map((name) => `${metricsPage}: ${name}`);
}

function agentMetrics(): Promise<readonly { readonly name: string }[]> {
  const counts = (): { readonly enrolled: number; readonly captured: number; readonly pending: number } => {
    return { enrolled: 0, captured: 0, pending: 0 };
  };
  const deps = { counts, countOlder: () => [], isLive: () => true, proxies: () => 0, isInstalled: () => true };
  return new AgentMetrics(deps).registry.getMetricsAsJSON();
}

async function waypointMetrics(): Promise<readonly { readonly name: string }[]> {
  const { registry } = new WaypointMetrics({ version: '' }, { clock: systemClock });
  const none = (): readonly [] => [];
  const zero = { exported: 0, dropped: 0, written: 0, sampledOut: 0, lost: 0 };
  registerWaypointGauges(
    { breakers: none, ejected: none, active: none, spans: () => zero, accessLines: () => zero },
    { registry },
  );
  return registry.getMetricsAsJSON();
}

async function readTree(base: string, folder: string): Promise<Files> {
  const entries = await readdir(join(base, folder), { recursive: true, withFileTypes: true }).catch(() => []);
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => relative(base, join(entry.parentPath, entry.name)));
  return new Map(
    await Promise.all(paths.map(async (path): Promise<[string, string]> => [path, await readFile(join(base, path), 'utf8')])),
  );
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}
