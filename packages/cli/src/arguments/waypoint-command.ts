/** Flags of `clearmesh waypoint`. */
import { Option } from 'commander';
import type { Command } from 'commander';
import type { CommandDeps } from '../commands/command-deps.ts';
import type { WaypointSpec } from '../waypoint/gateway.ts';
import type { WaypointChoice } from '../waypoint/tables.ts';
import { clusterOf, placeOf, withCluster, withOutput, withPlace } from './mesh-place.ts';
import type { ClusterFlags, OutputFlag, PlaceFlags } from './mesh-place.ts';
import { secondsOption } from './seconds-option.ts';
import type { RunTask } from './run-task.ts';

type SpecFlags = {
  readonly namespace: string;
  readonly name: string;
  readonly for?: 'service' | 'workload' | 'all' | 'none';
  readonly revision?: string;
  readonly class: string;
};
type WaitFlags = { readonly wait: boolean; readonly waypointTimeout: number };
type ApplyFlags = ClusterFlags & SpecFlags & WaitFlags & { readonly enrollNamespace: boolean; readonly overwrite: boolean };
type DeleteFlags = ClusterFlags & { readonly namespace: string; readonly all: boolean };
type ShowFlags = PlaceFlags & OutputFlag & { readonly namespace: string; readonly allNamespaces: boolean };

const namespaceFlags = '-n, --namespace <name>';

export function addWaypoint(program: Command, deps: CommandDeps, run: RunTask): void {
  const waypoint = program.command('waypoint').description('makes, shows and removes waypoints');
  addApply(waypoint, deps, run);
  addGenerate(waypoint, deps, run);
  addDelete(waypoint, deps, run);
  addList(waypoint, deps, run);
  addStatus(waypoint, deps, run);
}

function withSpec(command: Command): Command {
  return command
    .option(namespaceFlags, 'where the waypoint lives', 'default')
    .option('--name <name>', 'of the waypoint', 'waypoint')
    .addOption(new Option('--for <traffic>', 'what it takes').choices(['service', 'workload', 'all', 'none']))
    .option('-r, --revision <name>', 'of the control plane that shall make it')
    .option('--class <name>', 'class of the Gateway', 'clearmesh-waypoint');
}

function withWait(command: Command, waits: boolean): Command {
  return command
    .option('-w, --wait', 'until it is programmed', waits)
    .option('--waypoint-timeout <seconds>', 'how long to wait', secondsOption, 90);
}

function specOf({ namespace, name, for: traffic, revision, class: className }: SpecFlags): WaypointSpec {
  return {
    namespace,
    name,
    className,
    ...(traffic === undefined ? {} : { traffic }),
    ...(revision === undefined ? {} : { revision }),
  };
}

function waitOf({ wait, waypointTimeout }: WaitFlags): { readonly waitMs?: number } {
  return wait ? { waitMs: waypointTimeout * 1000 } : {};
}

function addApply(waypoint: Command, deps: CommandDeps, run: RunTask): void {
  const command = waypoint
    .command('apply')
    .description('writes the Gateway of a waypoint into the cluster, whose control plane makes the rest')
    .option('--enroll-namespace', 'send what goes to Services of the namespace through it', false)
    .option('--overwrite', 'with --enroll-namespace: also where the namespace uses another one', false);
  withCluster(withWait(withSpec(command), false)).action((flags: ApplyFlags) =>
    run(async (signal) => {
      const { runWaypointApply } = await import('../commands/waypoint.ts');
      const { enrollNamespace, overwrite, systemNamespace } = flags;
      const place = { ...clusterOf(flags), systemNamespace };
      return runWaypointApply({ spec: specOf(flags), place, enrollNamespace, overwrite, ...waitOf(flags) }, deps, signal);
    }),
  );
}

function addGenerate(waypoint: Command, deps: CommandDeps, run: RunTask): void {
  withSpec(waypoint.command('generate').description('prints the Gateway of a waypoint as YAML')).action((flags: SpecFlags) =>
    run(async () => {
      const { runWaypointGenerate } = await import('../commands/waypoint.ts');
      return runWaypointGenerate(specOf(flags), deps);
    }),
  );
}

function addDelete(waypoint: Command, deps: CommandDeps, run: RunTask): void {
  const command = waypoint
    .command('delete')
    .description('deletes waypoints; what still names one is refused until it names another')
    .argument('[name...]')
    .option(namespaceFlags, 'where they live', 'default')
    .option('--all', 'every waypoint of the namespace', false);
  withCluster(command).action((names: readonly string[], flags: DeleteFlags) =>
    run(async (signal) => {
      const { runWaypointDelete } = await import('../commands/waypoint.ts');
      const { namespace, all, systemNamespace } = flags;
      return runWaypointDelete({ place: { ...clusterOf(flags), systemNamespace }, namespace, names, all }, deps, signal);
    }),
  );
}

function withChoice(command: Command): Command {
  return withOutput(
    withPlace(command.option(namespaceFlags, 'where they live', 'default').option('-A, --all-namespaces', 'everywhere', false)),
  );
}

function choiceOf({ namespace, allNamespaces }: ShowFlags, names: readonly string[] = []): WaypointChoice {
  return { ...(allNamespaces ? {} : { namespace }), ...(names.length === 0 ? {} : { names }) };
}

function addList(waypoint: Command, deps: CommandDeps, run: RunTask): void {
  withChoice(waypoint.command('list').description('lists waypoints')).action((flags: ShowFlags) =>
    run(async (signal) => {
      const { runWaypointList } = await import('../commands/waypoint.ts');
      return runWaypointList({ place: placeOf(flags), choice: choiceOf(flags), output: flags.output }, deps, signal);
    }),
  );
}

function addStatus(waypoint: Command, deps: CommandDeps, run: RunTask): void {
  const command = waypoint
    .command('status')
    .description('says whether waypoints take traffic, and what they lack. Exit status 1 when one does not.')
    .argument('[name...]');
  withChoice(withWait(command, false)).action((names: readonly string[], flags: ShowFlags & WaitFlags) =>
    run(async (signal) => {
      const { runWaypointStatus } = await import('../commands/waypoint.ts');
      const choice = choiceOf(flags, names);
      return runWaypointStatus({ place: placeOf(flags), choice, output: flags.output, ...waitOf(flags) }, deps, signal);
    }),
  );
}
