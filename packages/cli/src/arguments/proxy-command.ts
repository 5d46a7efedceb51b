/** Flags of `clearmesh proxy`. */
import { Argument, InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { CommandDeps } from '../commands/command-deps.ts';
import type { ProxyOptions } from '../commands/proxy.ts';
import { clusterOf, withCluster, withOutput } from './mesh-place.ts';
import type { ClusterFlags, OutputFlag } from './mesh-place.ts';
import type { RunTask } from './run-task.ts';

type Flags = ClusterFlags &
  OutputFlag & {
    readonly file?: string;
    readonly namespace?: string;
    readonly address?: string;
    readonly direction?: 'inbound' | 'outbound';
    readonly raw?: true;
    readonly proxyAdminPort: number;
  };

export function addProxy(program: Command, deps: CommandDeps, run: RunTask): void {
  const command = program
    .command('proxy')
    .summary('what the ztunnel of a node knows: workloads, services, policies, certificates, connections, pods')
    .description(
      'Asks ztunnels by port-forward. A pod stands for the ztunnel of its node; without any, certificates, connections and pods are those of every node.',
    )
    .addArgument(new Argument('<what>').choices(['workloads', 'services', 'policies', 'certificates', 'connections', 'pods']))
    .argument('[pod|node]', 'a pod as namespace/name, or a node')
    .option('-f, --file <dump>', 'a file with what ztunnel answers to GET /config_dump, instead of a cluster')
    .option('-n, --namespace <name>', 'only what is of this namespace')
    .option('--address <ip>', 'only workloads and services with this address')
    .addOption(new Option('--direction <way>', 'only connections that go this way').choices(['inbound', 'outbound']))
    .option('--raw', 'connections with addresses instead of names')
    .option('--proxy-admin-port <port>', 'where ztunnel answers', portOption, 15_000);
  withOutput(withCluster(command)).action((subject: ProxyOptions['subject'], of: string | undefined, flags: Flags) =>
    run(async (signal) => {
      const { runProxy } = await import('../commands/proxy.ts');
      return runProxy(optionsOf(subject, of, flags), deps, signal);
    }),
  );
}

function optionsOf(subject: ProxyOptions['subject'], of: string | undefined, flags: Flags): ProxyOptions {
  const { file, namespace, address, direction, raw, proxyAdminPort, output, systemNamespace } = flags;
  return {
    subject,
    ...(of === undefined ? {} : { of }),
    ...(file === undefined ? {} : { file }),
    place: { ...clusterOf(flags), systemNamespace },
    selection: {
      ...(namespace === undefined ? {} : { namespace }),
      ...(address === undefined ? {} : { address }),
      ...(direction === undefined ? {} : { direction }),
      ...(raw === undefined ? {} : { raw }),
    },
    port: proxyAdminPort,
    output,
  };
}

function portOption(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError('Write a port from 1 to 65535.');
}
