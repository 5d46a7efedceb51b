/** Which API server, and as whom: a kubeconfig, or what a pod is given. */
import { existsSync } from 'node:fs';
import type { KubeConfig } from '@kubernetes/client-node';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

/** @param file of the kubeconfig; without one, the pod's own account. MESH-CONFIG-003 when neither can be used. */
export async function openCluster(file: string | undefined): Promise<KubeConfig> {
  // Half a second and 80 MiB, which a control plane without a cluster need not spend.
  const { KubeConfig } = await import('@kubernetes/client-node');
  const kubeConfig = new KubeConfig();
  try {
    if (file !== undefined) kubeConfig.loadFromFile(file);
    else if (existsSync(accountToken)) kubeConfig.loadFromCluster();
    else throw new Error(`this is no pod of a cluster (there is no ${accountToken})`);
    if (kubeConfig.getCurrentCluster() === null) throw new Error('its current context names no cluster');
    return kubeConfig;
  } catch (error) {
    throw new MeshError('MESH-CONFIG-003', {
      message: `${file === undefined ? '--kubernetes' : `--kubeconfig: ${file}`}: ${error instanceof Error ? error.message : String(error)}`,
      hint: 'Name a kubeconfig with --kubeconfig, or run in a pod whose service account token is mounted.',
      cause: error,
    });
  }
}

const accountToken = '/var/run/secrets/kubernetes.io/serviceaccount/token';
