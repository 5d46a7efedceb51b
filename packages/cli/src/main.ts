/** The `clearmesh` command: the one place that reads arguments and environment, and constructs. */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { reexecInUserNamespace } from '@clearmesh/lab/host/user-namespace';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { createLogger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { addMeshCommands } from './arguments/mesh-commands.ts';
import { addVersion } from './arguments/version-command.ts';
import type { CommandDeps } from './commands/command-deps.ts';
import type { DemoOptions } from './commands/demo.ts';
import type { GetOptions } from './commands/get.ts';
import { lifetimeOption } from './arguments/lifetime-option.ts';
import { ztunnelOption } from './arguments/ztunnel-option.ts';
import type { UpOptions } from './commands/up.ts';
import { endingOf, Interrupted } from './ending.ts';
import { createConsole } from './terminal/console.ts';
import { explainProblems, ManifestErrors } from './up/manifest-errors.ts';

const console = createConsole(process.stdout, process.stderr, process.env);

/** Programs of the mesh and services of pods find this Node first, whatever the caller's PATH has. */
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` };

const deps: CommandDeps = {
  clock: systemClock,
  random: systemRandom,
  logger: createLogger('cli', { level: 'warn', write: (line) => void process.stderr.write(line) }),
  env,
  console,
};

const launcher = Number(process.env['CLEARMESH_LAUNCHER'] ?? Number.NaN);

/** Runs a command that needs a lab, and turns however it ends into words and an exit status. */
async function run(task: (signal: AbortSignal) => Promise<number>): Promise<void> {
  const signal = endingOf(process, Number.isNaN(launcher) ? {} : { launcher });
  signal.addEventListener('abort', () => console.say('ending: removing processes, pods and nodes'), { once: true });
  try {
    const privilege = await reexecInUserNamespace([process.execPath, ...process.execArgv, ...process.argv.slice(1)]);
    if (privilege.kind === 'refused') throw privilege.error;
    process.exitCode = await task(signal);
  } catch (thrown) {
    process.exitCode = report(signal.aborted ? signal.reason : thrown);
  }
  // Nothing may hold a finished command open: whatever still could has been ended or was never ours.
  process.exit();
}

/** Runs a command that only looks, or asks an API server; whatever keeps it from an answer is exit status 2. */
async function ask(task: (signal: AbortSignal) => Promise<number>): Promise<void> {
  try {
    process.exitCode = await task(endingOf(process));
  } catch (thrown) {
    report(thrown);
    process.exitCode = 2;
  }
}

function report(thrown: unknown): number {
  if (thrown instanceof Interrupted) return thrown.exitCode;
  if (thrown instanceof ManifestErrors) {
    process.stderr.write(`clearmesh: ${thrown.message}\n${explainProblems(thrown.problems)}\n`);
    return 2;
  }
  const error = MeshError.from(thrown, 'MESH-INTERNAL-001');
  process.stderr.write(`clearmesh: ${error.explain()}\n`);
  return error.source === 'configuration' && error.code !== 'MESH-HOST-001' ? 2 : 1;
}

/** `3`, or `edge-1,edge-2`. */
function nodesOption(text: string): number | readonly string[] {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 8) return count;
  const names = text.split(',');
  if (Number.isNaN(count) && names.length <= 8 && names.every((name) => /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)))
    return names;
  throw new InvalidArgumentError('Use a whole number from 1 to 8, or at most 8 names such as node-a,node-b.');
}

async function version(): Promise<string> {
  const manifest = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as {
    readonly version: string;
  };
  return manifest.version;
}

function outputOption(what: string): Option {
  return new Option('-o, --output <form>', what).choices(['text', 'json']).default('text');
}

type GetFlags = Pick<GetOptions, 'namespace' | 'output'> & { readonly filename?: string; readonly status?: string };

function getOptions(kind: string, name: string | undefined, { filename, status, ...flags }: GetFlags): GetOptions {
  return {
    kind,
    ...flags,
    ...(name === undefined ? {} : { name }),
    ...(filename === undefined ? {} : { directory: filename }),
    ...(status === undefined ? {} : { statusFile: status }),
  };
}

const program = new Command('clearmesh')
  .description('An ambient service mesh for banks: every connection encrypted, verified and explained.')
  .version(await version(), '-V, --version', 'print the version')
  // Commander ends with 1, which is an answer of ours: a refused call, or a check that has failed.
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .showHelpAfterError('(clearmesh --help shows what there is)');

program
  .command('demo')
  .description('walk through a small bank on two simulated nodes, then show its traffic until Ctrl-C')
  .option('--once', 'end after the walk', false)
  .addOption(outputOption('json: print the report of the walk, and end; progress goes to standard error'))
  .action((options: DemoOptions) => run(async (signal) => (await import('./commands/demo.ts')).runDemo(options, deps, signal)));

program
  .command('up')
  .description('run the pods of a directory of manifests in a mesh on simulated nodes until Ctrl-C; edits are followed')
  .requiredOption('-f, --filename <dir>', 'directory of Namespace, Pod, Service and policy YAML')
  .option('--nodes <count|names>', 'nodes to simulate, by number or name; those that pods name are always made', nodesOption, 2)
  .option('--traces', 'take the traces of waypoints and pods (OTEL_EXPORTER_OTLP_ENDPOINT of every pod)', false)
  .option('--status-out <file>', 'where the status of objects is written, for clearmesh get --status')
  .option('--certificate-lifetime <time>', 'lifetime of the certificates that proxies ask for, such as 90s', lifetimeOption)
  .option('--ztunnel <[node=]program>', 'another ztunnel-compatible program as node proxy, of one node or of all', ztunnelOption)
  .addOption(outputOption('json: one event a line; ready, line, problems, traffic'))
  .action(({ filename, ...options }: Omit<UpOptions, 'directory'> & { readonly filename: string }) =>
    run(async (signal) => (await import('./commands/up.ts')).runUp({ directory: filename, ...options }, deps, signal)),
  );

program
  .command('get')
  .description('show objects of a running mesh with the conditions that the control plane sets on them')
  .argument('<kind>', 'such as gateways, httproutes, opapolicy; or all')
  .argument('[name]', 'one object')
  .option('-n, --namespace <name>', 'objects of this namespace only')
  .option('-f, --filename <dir>', 'the directory that the mesh runs; without it the only mesh that runs')
  .addOption(new Option('--status <file>', 'what a control plane, or up, writes with --status-out').conflicts('filename'))
  .addOption(outputOption('json: the whole status of the objects'))
  .action(async (kind: string, name: string | undefined, flags: GetFlags) => {
    try {
      const { runGet } = await import('./commands/get.ts');
      process.exitCode = await runGet(getOptions(kind, name, flags), deps);
    } catch (thrown) {
      process.exitCode = report(thrown);
    }
  });

addVersion(program, await version(), deps, ask);
addMeshCommands(program, deps, ask);

await program.parseAsync();
