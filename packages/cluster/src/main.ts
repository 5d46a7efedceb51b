/** `npm run cluster -- up|down|status|load|reboot|kubectl|exec`: the one place that reads arguments and environment. */
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { findTool, toolPath } from '@clearmesh/lab/host/tools';
import { keepAliveFor } from '@clearmesh/lab/process/keep-alive';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { Cluster } from './cluster.ts';
import { kubeconfigPath } from './paths.ts';
import { describeStatus } from './status.ts';

const started = systemClock.monotonicMs();

function seconds(): string {
  return `${((systemClock.monotonicMs() - started) / 1000).toFixed(1)} s`;
}

const onProgress = (line: string): void => void process.stderr.write(`${seconds().padStart(8)}  ${line}\n`);

async function withCluster(task: (cluster: Cluster) => Promise<number>): Promise<void> {
  try {
    process.exitCode = await keepAliveFor(Cluster.prepare({ clock: systemClock, onProgress }).then(task));
  } catch (thrown) {
    process.stderr.write(`clearmesh: ${MeshError.from(thrown, 'MESH-INTERNAL-001').explain()}\n`);
    process.exitCode = 1;
  }
}

/** Replaces this process, so that signals and the terminal are the command's own. */
async function become([file = '', ...args]: readonly string[]): Promise<number> {
  const path = toolPath(process.env);
  const found = file.startsWith('/') ? file : await findTool(file, path);
  process.execve?.(found ?? file, [file, ...args], { ...process.env, PATH: path });
  throw new MeshError('MESH-HOST-001', {
    message: `Node ${process.version} cannot replace its process`,
    hint: 'Use Node 24 or later.',
  });
}

const program = new Command('cluster').enablePositionalOptions().description('A real Kubernetes of two nodes on this machine.');

program
  .command('up')
  .description('start it, or what of it does not run; prints the path of the kubeconfig')
  .action(() =>
    withCluster(async (cluster) => {
      await cluster.up();
      onProgress('up');
      process.stdout.write(`export KUBECONFIG=${kubeconfigPath}\n`);
      return 0;
    }),
  );

program
  .command('down')
  .description('end it and remove everything of it')
  .action(() =>
    withCluster(async (cluster) => {
      await cluster.down();
      onProgress('down');
      return 0;
    }),
  );

program
  .command('status')
  .description('say what runs and what does not; the exit status is 0 when all of it runs')
  .addOption(new Option('-o, --output <format>', 'how to say it').choices(['text', 'json']).default('text'))
  .action(({ output }: { readonly output: string }) =>
    withCluster(async (cluster) => {
      const status = await cluster.status();
      process.stdout.write(`${output === 'json' ? JSON.stringify(status, undefined, 2) : describeStatus(status)}\n`);
      return status.state === 'up' ? 0 : 1;
    }),
  );

program
  .command('load <archive...>')
  .description('load images, as OCI archives, into both nodes')
  .action((archives: readonly string[]) =>
    withCluster(async (cluster) => {
      await cluster.load(archives.map((archive) => resolve(archive)));
      return 0;
    }),
  );

program
  .command('reboot <node>')
  .description('power a node off and on again')
  .action((node: string) =>
    withCluster(async (cluster) => {
      await cluster.reboot(node);
      onProgress(`${node} is back`);
      return 0;
    }),
  );

program
  .command('kubectl [args...]')
  .description('run kubectl against it')
  .passThroughOptions()
  .allowUnknownOption()
  .helpOption(false)
  .action((args: readonly string[]) => withCluster((cluster) => become(cluster.kubectlCommand(args))));

program
  .command('exec <machine> <command...>')
  .description('run a command inside a machine: vault-a, vault-b or control')
  .passThroughOptions()
  .allowUnknownOption()
  .action((machine: string, command: readonly string[]) =>
    withCluster((cluster) => {
      const entered = cluster.machine(machine).enter(command);
      if (entered === undefined)
        throw new MeshError('MESH-LAB-001', { message: `${machine} is off`, hint: 'npm run cluster -- up' });
      return become(entered);
    }),
  );

await program.parseAsync();
