/** Kubernetes' own programs, Helm and CoreDNS, built from their Go modules: no image and no release archive is fetched. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedPrograms, runGo, say } from '../program-cache.ts';

export type KubernetesProgram =
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kube-scheduler'
  | 'kube-proxy'
  | 'kubectl'
  | 'kubelet';

/** Staging modules have the same version with another major one: v1.37.2 goes with v0.37.2. */
const kubernetesVersion = '1.37.2';
const helmVersion = '3.22.0';
const corednsVersion = '1.15.0';

/** The paths of programs of Kubernetes; what the cache lacks is built (some 20 minutes for all of them, the first time). */
export function installKubernetes<Name extends KubernetesProgram>(
  names: readonly Name[],
): Promise<Readonly<Record<Name, string>>> {
  return cachedPrograms({ folder: `kubernetes-${kubernetesVersion}`, neededGiB: 6, build: buildKubernetes }, names);
}

/** The path of `helm`. */
export async function installHelm(): Promise<string> {
  const build = (_missing: readonly string[], into: string): Promise<void> =>
    goInstall(`helm.sh/helm/v3/cmd/helm@v${helmVersion}`, into);
  return (await cachedPrograms({ folder: `helm-${helmVersion}`, neededGiB: 3, build }, ['helm'])).helm;
}

/** The path of `coredns`, which has no need of any file beside it. */
export async function installCoredns(): Promise<string> {
  const build = (_missing: readonly string[], into: string): Promise<void> =>
    goInstall(`github.com/coredns/coredns@v${corednsVersion}`, into);
  return (await cachedPrograms({ folder: `coredns-${corednsVersion}`, neededGiB: 3, build }, ['coredns'])).coredns;
}

async function goInstall(module: string, into: string): Promise<void> {
  say(`building ${module} with go install; this takes some minutes`);
  await runGo(['install', module], { env: { GOBIN: into } });
}

async function buildKubernetes(missing: readonly KubernetesProgram[], into: string): Promise<void> {
  const cwd = into;
  say(`getting the sources of Kubernetes ${kubernetesVersion}`);
  const module = `k8s.io/kubernetes@v${kubernetesVersion}`;
  const downloaded = JSON.parse(await runGo(['mod', 'download', '-json', module], { cwd })) as { readonly GoMod: string };
  await writeFile(join(into, 'go.mod'), moduleFile(await readFile(downloaded.GoMod, 'utf8')));
  for (const [index, name] of missing.entries()) {
    say(`building ${name} (${index + 1} of ${missing.length}); the first takes up to ten minutes`);
    // -mod=mod: what the module file lacks is found in that of Kubernetes, which names the version of everything.
    await runGo(['build', '-mod=mod', '-ldflags', versionFlags(), '-o', name, `k8s.io/kubernetes/cmd/${name}`], { cwd });
  }
}

/** A module that requires Kubernetes, with the staging modules, which its own file replaces by folders, at real versions. */
export function moduleFile(kubernetesModule: string): string {
  const staging = [...kubernetesModule.matchAll(/^\s+(k8s\.io\/\S+) v0\.0\.0$/gm)].map(([, name]) => name);
  const version = `v${kubernetesVersion.replace(/^1\./, '0.')}`;
  const goVersion = /^go (\S+)$/m.exec(kubernetesModule)?.[1] ?? '1.26.0';
  return [
    'module clearmesh.io/kubernetes-programs',
    `go ${goVersion}`,
    `require k8s.io/kubernetes v${kubernetesVersion}`,
    ...staging.map((name) => `replace ${name} => ${name} ${version}`),
    '',
  ].join('\n\n');
}

/** Without them every program calls itself v0.0.0, which clients and kubelets judge by. */
function versionFlags(): string {
  const [major, minor] = kubernetesVersion.split('.');
  const set = (name: string, value = ''): string => `-X k8s.io/component-base/version.${name}=${value}`;
  return ['-s', '-w', set('gitVersion', `v${kubernetesVersion}`), set('gitMajor', major), set('gitMinor', minor)].join(' ');
}
