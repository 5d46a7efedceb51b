/** Flags of `clearmesh version`. */
import type { Command } from 'commander';
import type { CommandDeps } from '../commands/command-deps.ts';
import { clusterOf, withCluster, withOutput } from './mesh-place.ts';
import type { ClusterFlags, OutputFlag } from './mesh-place.ts';
import type { RunTask } from './run-task.ts';

type Flags = ClusterFlags & OutputFlag & { readonly cluster: boolean };

export function addVersion(program: Command, version: string, deps: CommandDeps, run: RunTask): void {
  const command = program
    .command('version')
    .description('prints the version of Clearmesh and of the Node that runs it')
    .option('--cluster', 'also what runs in the cluster', false);
  withOutput(withCluster(command)).action(({ cluster, output, systemNamespace, ...flags }: Flags) =>
    run(async (signal) => {
      const { runVersion } = await import('../commands/version.ts');
      const place = { ...clusterOf({ ...flags, systemNamespace }), systemNamespace };
      return runVersion({ version, output, ...(cluster ? { place } : {}) }, deps, signal);
    }),
  );
}
