/** The definitions of the Gateway API and of Istio's API, from their Go modules: nothing is copied into this tree. */
import { access } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runGo } from '../program-cache.ts';

const gatewayApi = 'sigs.k8s.io/gateway-api@v1.6.3';
const istioApi = 'istio.io/api@v1.31.4';

/** A folder of manifests: the Gateway API's standard channel. */
export function gatewayApiDefinitions(): Promise<string> {
  return inModule(gatewayApi, 'config/crd/standard');
}

/** One file of manifests: all of Istio's kinds. */
export function istioDefinitions(): Promise<string> {
  return inModule(istioApi, 'kubernetes/customresourcedefinitions.gen.yaml');
}

type Target = { applyFile(path: string): Promise<void>; kubectl(args: readonly string[]): Promise<string> };

/** Installs both and waits until the API server serves them. */
export async function installDefinitions(target: Target): Promise<void> {
  await target.applyFile(await gatewayApiDefinitions());
  await target.applyFile(await istioDefinitions());
  await target.kubectl(['wait', '--for=condition=Established', '--timeout=60s', 'crd', '--all']);
}

/** A path in a module of Go's cache, which is filled where it lacks the module. */
async function inModule(module: string, path: string): Promise<string> {
  // Outside of any module, so that no go.mod has a say.
  const downloaded = JSON.parse(await runGo(['mod', 'download', '-json', module], { cwd: tmpdir() })) as { readonly Dir: string };
  const found = join(downloaded.Dir, path);
  await access(found);
  return found;
}
