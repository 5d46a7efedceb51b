/** Commands about a mesh of a cluster or a directory: their flags. What they do is loaded when they are called. */
import type { Command } from 'commander';
import type { CommandDeps } from '../commands/command-deps.ts';
import { addCheck } from './check-command.ts';
import { addProxy } from './proxy-command.ts';
import { placeOf, withOutput, withPlace } from './mesh-place.ts';
import type { OutputFlag, PlaceFlags } from './mesh-place.ts';
import { addWaypoint } from './waypoint-command.ts';
import type { RunTask } from './run-task.ts';

export function addMeshCommands(program: Command, deps: CommandDeps, run: RunTask): void {
  addWhy(program, deps, run);
  addDescribe(program, deps, run);
  addStatus(program, deps, run);
  addProxy(program, deps, run);
  addCheck(program, deps, run);
  addWaypoint(program, deps, run);
}

type WhyFlags = PlaceFlags & OutputFlag & { readonly method?: string; readonly path?: string };

function addWhy(program: Command, deps: CommandDeps, run: RunTask): void {
  const command = program
    .command('why')
    .summary('whether one pod may reach another, which policy decides, and what to change')
    .description(
      'Says whether FROM may reach TO, and why: enrolment, route, waypoint, mTLS, and each policy with the rule that decides.\nExit status: 0 ALLOWED, 1 REFUSED, 3 DEPENDS, 2 for an error.',
    )
    .argument('<from>', 'namespace/pod, namespace/deploy/name, or namespace/sa:name')
    .argument('<to>', 'namespace/service:port, namespace/pod/name:port, or ip:port')
    .option('--method <name>', 'of the request that is meant, where a waypoint decides')
    .option('--path <path>', 'of the request that is meant');
  withOutput(withPlace(command)).action((from: string, to: string, { method, path, output, ...flags }: WhyFlags) =>
    run(async (signal) => {
      const { runWhy } = await import('../commands/why.ts');
      const request = { ...(method === undefined ? {} : { method }), ...(path === undefined ? {} : { path }) };
      return runWhy({ from, to, output, place: placeOf(flags), ...request }, deps, signal);
    }),
  );
}

type DescribeFlags = PlaceFlags & OutputFlag & { readonly namespace: string };

function addDescribe(program: Command, deps: CommandDeps, run: RunTask): void {
  const command = program
    .command('describe')
    .summary('what the mesh makes of a pod, a service or a namespace')
    .description('Shows enrolment, capture, mTLS, the waypoint and every policy that applies, with the conditions of the object.')
    .argument('<kind>', 'pod, service or namespace')
    .argument('<name>', 'name, or namespace/name')
    .option('-n, --namespace <name>', 'of a name without one', 'default');
  withOutput(withPlace(command)).action((kind: string, name: string, { namespace, output, ...flags }: DescribeFlags) =>
    run(async (signal) => {
      const { runDescribe } = await import('../commands/describe.ts');
      return runDescribe({ kind, name, namespace, output, place: placeOf(flags) }, deps, signal);
    }),
  );
}

function addStatus(program: Command, deps: CommandDeps, run: RunTask): void {
  const command = program.command('status').description('shows the mesh in a screen: its parts, who is in it, what guards whom');
  withOutput(withPlace(command)).action(({ output, ...flags }: PlaceFlags & OutputFlag) =>
    run(async (signal) => {
      const { runStatus } = await import('../commands/status.ts');
      return runStatus({ output, place: placeOf(flags) }, deps, signal);
    }),
  );
}
