/** Flags that say which mesh is meant; the same for each command that looks at one. */
import { Option } from 'commander';
import type { Command } from 'commander';
import type { ClusterPlace } from '../mesh/cluster-access.ts';
import type { MeshPlace } from '../mesh/open-mesh.ts';

export type ClusterFlags = { readonly kubeconfig?: string; readonly context?: string; readonly systemNamespace: string };
export type PlaceFlags = ClusterFlags & { readonly directory?: string; readonly ifEnrolled?: true };
export type OutputFlag = { readonly output: 'table' | 'json' };

export function withCluster(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'how the cluster is reached; without it KUBECONFIG, ~/.kube/config, or the pod that this is')
    .option('--context <name>', 'a context of the kubeconfig, if not the current one')
    .option('--system-namespace <name>', 'where the mesh itself lives', 'clearmesh-system');
}

export function withPlace(command: Command): Command {
  return withCluster(command)
    .addOption(new Option('--directory <dir>', 'manifests instead of a cluster').conflicts(['kubeconfig', 'context']))
    .option('--if-enrolled', 'with --directory: as if every namespace were in the mesh');
}

export function withOutput(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <form>', 'for people, or for programs').choices(['table', 'json']).default('table'),
  );
}

export function placeOf(flags: PlaceFlags): MeshPlace {
  const { directory, systemNamespace, ifEnrolled = false } = flags;
  if (directory !== undefined) return { kind: 'directory', directory, ifEnrolled, systemNamespace };
  return { ...clusterOf(flags), systemNamespace };
}

export function clusterOf({ kubeconfig, context }: ClusterFlags): ClusterPlace {
  return {
    kind: 'cluster',
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
  };
}
