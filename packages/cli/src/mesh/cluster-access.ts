/** Which API server, and as whom: `--kubeconfig`, else `KUBECONFIG`, else the user's own file, else the pod that this is. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

export type ClusterPlace = { readonly kind: 'cluster'; readonly kubeconfig?: string; readonly context?: string };

const accountToken = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** MESH-CONFIG-003 when nothing names a cluster, or what does cannot be used. */
export async function openCluster(
  { kubeconfig, context }: Omit<ClusterPlace, 'kind'>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<KubeConfig> {
  // Half a second: commands that read a directory or a file do without.
  const { KubeConfig } = await import('@kubernetes/client-node');
  const files = filesOf(kubeconfig, env);
  const from = files.length > 0 ? files.join(', ') : 'the account of this pod';
  const config = new KubeConfig();
  try {
    if (files.length > 0) loadFiles(config, files, () => new KubeConfig());
    else if (existsSync(accountToken)) config.loadFromCluster();
    else throw new Error('neither --kubeconfig nor KUBECONFIG names a file, and there is none in ~/.kube');
    if (context !== undefined) choose(config, context);
    if (config.getCurrentCluster() === null) throw new Error('the current context names no cluster');
    return config;
  } catch (error) {
    throw new MeshError('MESH-CONFIG-003', {
      message: `no cluster can be asked by ${from}: ${error instanceof Error ? error.message : String(error)}`,
      hint: 'Name a cluster with --kubeconfig FILE and --context NAME, or a directory of manifests with --directory DIR.',
      cause: error,
    });
  }
}

function filesOf(kubeconfig: string | undefined, env: Readonly<Record<string, string | undefined>>): readonly string[] {
  if (kubeconfig !== undefined) return [kubeconfig];
  const named = (env['KUBECONFIG'] ?? '').split(':').filter((file) => file !== '');
  if (named.length > 0) return named;
  const own = join(env['HOME'] ?? homedir(), '.kube/config');
  return existsSync(own) ? [own] : [];
}

function loadFiles(config: KubeConfig, [first, ...rest]: readonly string[], another: () => KubeConfig): void {
  if (first !== undefined) config.loadFromFile(first);
  for (const file of rest) {
    const more = another();
    more.loadFromFile(file);
    config.mergeConfig(more);
  }
}

function choose(config: KubeConfig, context: string): void {
  const known = config.getContexts().map(({ name }) => name);
  if (!known.includes(context)) throw new Error(`there is no context ${context}; there is ${known.join(', ') || 'none'}`);
  config.setCurrentContext(context);
}
