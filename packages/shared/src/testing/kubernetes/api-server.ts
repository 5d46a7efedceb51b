/**
 * A real API server for a test: etcd, kube-apiserver and, where asked for, controllers, on loopback, with RBAC, a temporary
 * folder and ports of its own. There are no nodes: pods are accepted and never run.
 *
 *   start: etcd ▶ kube-apiserver ready ▶ kube-controller-manager ▶ default service account
 *
 * A1  a server that cannot be made whole is unmade before `start` rejects.
 * A2  everything ends with the disposal, and with this process, however that ends.
 */
import { execFile } from 'node:child_process';
import { access, mkdtemp, rm } from 'node:fs/promises';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { delay, systemClock } from '../../lifecycle/clock.ts';
import { ChildProgram } from '../child-program.ts';
import {
  apiServerCommand,
  apiServerNames,
  apiServiceIp,
  controllerManagerCommand,
  etcdCommand,
} from './control-plane-commands.ts';
import { ClusterCredentials, clusterAdmin } from './credentials.ts';
import type { ClusterUser } from './credentials.ts';
import { installKubernetes } from './install-kubernetes.ts';

export type ApiServerOptions = {
  /**
   * Controllers to run, as kube-controller-manager names them: `serviceaccount-controller`, `namespace-controller`,
   * `garbage-collector-controller`, `deployment-controller` … @default none, and then no service account is asked of pods
   */
  readonly controllers?: readonly string[];
  /** In milliseconds; building the programs, where they are missing, does not count. @default 60000 */
  readonly patienceMs?: number;
};

const pollMs = 50;
const stopGraceMs = 3000;
const attempts = 3;

export class ApiServer implements AsyncDisposable {
  /** With all rights. */
  readonly kubeconfigPath: string;
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  /** The folder of this server; gone after the disposal. */
  readonly directory: string;
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.kubeconfigPath = parts.kubeconfigPath;
    this.url = parts.url;
    this.directory = parts.directory;
  }

  /** Resolves when the API serves; some five seconds. */
  static async start(options: ApiServerOptions = {}): Promise<ApiServer> {
    await requireEtcd();
    const programs = await installKubernetes([
      'kube-apiserver',
      'kubectl',
      ...(options.controllers === undefined ? [] : (['kube-controller-manager'] as const)),
    ]);
    for (let attempt = 1; ; attempt += 1) {
      const directory = await mkdtemp(join(tmpdir(), 'clearmesh-api-'));
      const parts = { directory, programs, children: [] as ChildProgram[] };
      try {
        return new ApiServer(await startParts(parts, options));
      } catch (error) {
        await end(parts);
        // Between the choice of a free port and its use anybody may take it.
        if (attempt < attempts && /address already in use/.test(String(error))) continue;
        throw error;
      }
    }
  }

  /** Runs kubectl with all rights; gives its output, or an error with what it said. */
  kubectl(args: readonly string[], input = ''): Promise<string> {
    return runKubectl(this.#parts.programs.kubectl, ['--kubeconfig', this.kubeconfigPath, ...args], input);
  }

  /** Applies a file, or a folder of files. */
  async applyFile(path: string): Promise<void> {
    await this.kubectl(['apply', '--server-side', '--force-conflicts', '-f', path]);
  }

  /** Applies manifests given as text. */
  async apply(manifests: string): Promise<void> {
    await this.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], manifests);
  }

  /** A kubeconfig for somebody with the rights that RBAC gives; the path of the file. */
  kubeconfigFor(name: string, who: ClusterUser): Promise<string> {
    return this.#parts.credentials.kubeconfig(name, who, this.url);
  }

  /** The processes, for a test that kills one. */
  get pids(): readonly number[] {
    return this.#parts.children.flatMap(({ pid }) => pid ?? []);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return end(this.#parts);
  }
}

type Begun = {
  readonly directory: string;
  readonly programs: Readonly<Record<'kube-apiserver' | 'kubectl', string>> & Partial<Record<'kube-controller-manager', string>>;
  /** In the order of their start. */
  readonly children: ChildProgram[];
};

type Parts = Begun & { readonly credentials: ClusterCredentials; readonly kubeconfigPath: string; readonly url: string };

async function startParts(begun: Begun, options: ApiServerOptions): Promise<Parts> {
  const { directory, programs, children } = begun;
  const signal = AbortSignal.timeout(options.patienceMs ?? 60_000);
  const [clientPort, peerPort, port] = (await freePorts(3)) as [number, number, number];
  const run = (name: string, command: readonly string[]): ChildProgram => {
    const child = new ChildProgram(name, command, { cwd: directory });
    children.push(child);
    return child;
  };
  const etcd = run('etcd', etcdCommand({ program: 'etcd', dataDirectory: join(directory, 'etcd'), clientPort, peerPort }));
  const pki = join(directory, 'pki');
  const credentials = await ClusterCredentials.create(pki, {
    dnsNames: apiServerNames,
    ips: ['127.0.0.1', apiServiceIp],
  });
  const url = `https://127.0.0.1:${port}`;
  const kubeconfigPath = await credentials.kubeconfig('admin', clusterAdmin, url);
  const { controllers } = options;
  const serviceAccounts = controllers?.includes('serviceaccount-controller') === true;
  const settings = { pki, etcdPort: clientPort, bindAddress: '127.0.0.1', port, serviceAccounts };
  const api = run('kube-apiserver', apiServerCommand({ program: programs['kube-apiserver'], ...settings }));
  const ready = until(() => isReady(url, credentials.rootPem), signal);
  await Promise.race([ready, api.mustRun(), etcd.mustRun()]);
  const controllerManager = programs['kube-controller-manager'];
  if (controllers !== undefined && controllerManager !== undefined) {
    const manager = { program: controllerManager, pki, kubeconfig: kubeconfigPath, controllers };
    const child = run('kube-controller-manager', controllerManagerCommand(manager));
    const works = (): Promise<boolean> => hasDefaultAccount(programs.kubectl, kubeconfigPath);
    if (serviceAccounts) await Promise.race([until(works, signal), child.mustRun()]);
  }
  return { ...begun, credentials, kubeconfigPath, url };
}

/** The API server first, so that nobody complains that its store is gone. */
async function end({ children, directory }: Begun): Promise<void> {
  for (const child of children.toReversed()) await child.stop(stopGraceMs);
  await rm(directory, { recursive: true, force: true });
}

async function requireEtcd(): Promise<void> {
  const folders = (process.env['PATH'] ?? '').split(':');
  const found = await Promise.any(folders.map((folder) => access(join(folder, 'etcd')))).then(
    () => true,
    () => false,
  );
  if (!found) throw new Error('etcd is not installed; on Debian and Ubuntu: sudo apt-get install etcd-server');
}

async function hasDefaultAccount(kubectl: string, kubeconfig: string): Promise<boolean> {
  const args = ['--kubeconfig', kubeconfig, '--namespace', 'default', 'get', 'serviceaccount', 'default'];
  return runKubectl(kubectl, args, '').then(
    () => true,
    () => false,
  );
}

function isReady(url: string, ca: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = https.get(`${url}/readyz`, { ca, agent: false, timeout: 1000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(false));
  });
}

async function until(holds: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  // A timer of the clock does not hold the process open; the children's pipes do.
  while (!(await holds())) await delay(systemClock, pollMs, signal);
}

function runKubectl(program: string, args: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`kubectl ${args.slice(2).join(' ')} failed: ${stderr.trim()}`));
    });
    child.stdin?.on('error', () => {}).end(input);
  });
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => net.createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    ports.push((server.address() as net.AddressInfo).port);
  }
  await Promise.all(servers.map((server) => new Promise((closed) => void server.close(closed))));
  return ports;
}
