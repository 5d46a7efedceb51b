import { readFileSync } from 'node:fs';
import type { Environment } from '@clearmesh/shared/lifecycle/environment';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

/** Where a mesh's configuration is mounted (l4-contract section 12). */
const meshPath = './etc/istio/config/mesh';

/** The process's environment with the proxy configuration beneath it, if there is any. */
export async function layeredEnvironment(env: Environment, path: string = meshPath): Promise<Environment> {
  const own = env['PROXY_CONFIG'] ?? '';
  const mesh = readIfThere(path);
  if (own === '' && mesh === undefined) return env;
  // Loaded only here: YAML and schemas take memory that a node of a cluster has other use for.
  const { withProxyConfig } = await import('./proxy-config.ts');
  return withProxyConfig(env, {
    ...(own === '' ? {} : { proxyConfig: { name: 'PROXY_CONFIG', text: own } }),
    ...(mesh === undefined ? {} : { mesh: { name: path, text: mesh } }),
  });
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) return undefined;
    throw new MeshError('MESH-CONFIG-003', {
      message: `the mesh’s configuration ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'Make the file readable, or remove it.',
      cause,
    });
  }
}
