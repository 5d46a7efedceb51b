/** Flags of `clearmesh check`. */
import type { Command } from 'commander';
import type { CommandDeps } from '../commands/command-deps.ts';
import { clusterOf, withCluster, withOutput } from './mesh-place.ts';
import type { ClusterFlags, OutputFlag } from './mesh-place.ts';
import { secondsOption } from './seconds-option.ts';
import type { RunTask } from './run-task.ts';

type Flags = ClusterFlags & OutputFlag & { readonly pre: boolean; readonly wait: boolean; readonly timeout: number };

export function addCheck(program: Command, deps: CommandDeps, run: RunTask): void {
  const command = program
    .command('check')
    .summary('whether the mesh works, or may be installed')
    .description(
      'Looks at each part of the mesh in a cluster; name, what was found, and what to do. Exit status 1 when something has failed.',
    )
    .option('--pre', 'before an installation: version, rights, Gateway API, Istio', false)
    .option('--wait', 'until nothing has failed', false)
    .option('--timeout <seconds>', 'with --wait: how long', secondsOption, 120);
  withOutput(withCluster(command)).action(({ pre, wait, timeout, output, systemNamespace, ...flags }: Flags) =>
    run(async (signal) => {
      const { runCheck } = await import('../commands/check.ts');
      const waiting = wait ? { waitMs: timeout * 1000 } : {};
      return runCheck(
        { place: { ...clusterOf({ ...flags, systemNamespace }), systemNamespace }, pre, output, ...waiting },
        deps,
        signal,
      );
    }),
  );
}
