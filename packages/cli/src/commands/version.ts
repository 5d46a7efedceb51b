/** `clearmesh version [--cluster]`: of this command, and of what runs in a cluster. */
import type { ApiObject, Resource } from '@clearmesh/control-plane/kubernetes/resource';
import { listOf } from '../mesh/api.ts';
import type { ClusterPlace } from '../mesh/cluster-access.ts';
import { clusterClient } from '../mesh/cluster-objects.ts';
import { renderRows } from '../terminal/rows.ts';
import type { Row } from '../terminal/rows.ts';
import type { CommandDeps } from './command-deps.ts';

export type VersionOptions = {
  /** Of this command. */
  readonly version: string;
  /** Ask it what it runs. @default nobody is asked */
  readonly place?: ClusterPlace & { readonly systemNamespace: string };
  readonly output: 'table' | 'json';
};

const kinds: readonly Resource[] = [
  { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' },
  { apiVersion: 'apps/v1', kind: 'DaemonSet', plural: 'daemonsets' },
];

export async function runVersion(
  { version, place, output }: VersionOptions,
  { clock, env, console }: Pick<CommandDeps, 'clock' | 'env' | 'console'>,
  signal: AbortSignal,
): Promise<number> {
  const node = process.version;
  const components = place === undefined ? undefined : await running(place, { clock, env }, signal);
  if (output === 'json') {
    console.print(`${JSON.stringify({ version, node, ...(components === undefined ? {} : { components }) }, undefined, 2)}\n`);
    return 0;
  }
  console.print(`clearmesh ${version} (Node ${node})\n`);
  if (components?.length === 0) console.say('no part of a mesh runs in the cluster');
  else if (components !== undefined) console.print(`${renderRows(components).join('\n')}\n`);
  return 0;
}

type Workload = ApiObject & {
  readonly spec?: { readonly template?: { readonly spec?: { readonly containers?: readonly { readonly image?: string }[] } } };
};

async function running(
  place: NonNullable<VersionOptions['place']>,
  deps: Pick<CommandDeps, 'clock' | 'env'>,
  signal: AbortSignal,
): Promise<readonly Row[]> {
  using api = await clusterClient(place, deps);
  const lists = await Promise.all(kinds.map((kind) => listOf(api, kind, imageRow, signal, { namespace: place.systemNamespace })));
  return lists.flatMap((rows) => rows ?? []);
}

function imageRow(object: ApiObject): Row {
  const images = (object as Workload).spec?.template?.spec?.containers?.map(({ image = '' }) => image) ?? [];
  return { component: object.metadata.name, image: images.join(', ') };
}
