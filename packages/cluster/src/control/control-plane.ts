/** etcd, API server, controllers and scheduler in the control machine, and everybody's way to them. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import https from 'node:https';
import { dirname, join } from 'node:path';
import type { RunTool } from '@clearmesh/lab/host/run-tool';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import {
  apiServerCommand,
  apiServerNames,
  apiServiceIp,
  controllerManagerCommand,
  etcdCommand,
  schedulerCommand,
} from '@clearmesh/shared/testing/kubernetes/control-plane-commands';
import { ClusterCredentials, clusterAdmin } from '@clearmesh/shared/testing/kubernetes/credentials';
import type { Machine } from '../machine/machine.ts';
import { installFile } from '../machine/root-folder.ts';
import { connectControl, disconnectControl } from '../network.ts';
import { diskDirectory, kubeconfigPath, programsInside, rootOf } from '../paths.ts';
import { apiPort, apiUrl, control, nodes } from '../plan.ts';

export const controlPrograms: readonly string[] = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];

const pki = '/etc/kubernetes/pki';
const etcdPort = 2379;
const pollMs = 100;

export class ControlPlane {
  readonly machine: Machine;
  readonly #run: RunTool;
  readonly #clock: Clock;

  constructor(machine: Machine, deps: { readonly clock: Clock; readonly run: RunTool }) {
    this.machine = machine;
    this.#run = deps.run;
    this.#clock = deps.clock;
  }

  /** The network that everybody hangs on. */
  connect(): Promise<void> {
    return connectControl(this.#run);
  }

  /** The machine with a store and an API server that serves. */
  async start(signal: AbortSignal): Promise<void> {
    await this.machine.boot();
    await this.machine.start(
      etcdCommand({ program: '/usr/bin/etcd', dataDirectory: '/var/lib/etcd', clientPort: etcdPort, peerPort: etcdPort + 1 }),
    );
    const settings = { pki, etcdPort, bindAddress: '0.0.0.0', port: apiPort, advertiseAddress: control.ip, verifyKubelets: true };
    await this.machine.start(apiServerCommand({ program: `${programsInside}/kube-apiserver`, ...settings }));
    await this.#ready(signal);
    const managerConfig = `${pki}/controller-manager.kubeconfig`;
    await this.machine.start(
      controllerManagerCommand({
        program: `${programsInside}/kube-controller-manager`,
        pki,
        kubeconfig: managerConfig,
        // A node that is gone is noticed within seconds, as tests wait for it.
        extra: ['--node-monitor-grace-period=20s', '--node-monitor-period=2s'],
      }),
    );
    await this.machine.start(
      schedulerCommand({ program: `${programsInside}/kube-scheduler`, kubeconfig: `${pki}/scheduler.kubeconfig` }),
    );
  }

  async off(): Promise<void> {
    await this.machine.off();
    await disconnectControl(this.#run);
  }

  async #ready(signal: AbortSignal): Promise<void> {
    const ca = readFileSync(join(rootOf(control), pki, 'ca.crt'), 'utf8');
    while (!(await answersReady(ca))) {
      const running = this.machine.running();
      const ended = ['etcd', 'kube-apiserver'].find((program) => !running.includes(program));
      if (ended !== undefined || signal.aborted) {
        const program = ended ?? 'kube-apiserver';
        const said = await this.machine.logTail(program);
        throw new MeshError('MESH-LAB-001', { message: `${program} does not serve; it said:\n${said}` });
      }
      await delay(this.#clock, pollMs, AbortSignal.timeout(pollMs * 10));
    }
  }
}

/** Certificates, keys and kubeconfigs of everybody, once: all of them or none are there. */
export async function makeCredentials(): Promise<void> {
  const target = join(rootOf(control), pki);
  if (!existsSync(target)) {
    const draft = join(diskDirectory, 'pki.draft');
    await rm(draft, { recursive: true, force: true });
    const ips = ['127.0.0.1', control.ip, apiServiceIp];
    const credentials = await ClusterCredentials.create(draft, { dnsNames: apiServerNames, ips });
    await credentials.kubeconfig('admin', clusterAdmin, apiUrl);
    await credentials.kubeconfig('controller-manager', { user: 'system:kube-controller-manager' }, apiUrl);
    await credentials.kubeconfig('scheduler', { user: 'system:kube-scheduler' }, apiUrl);
    await credentials.kubeconfig('kube-proxy', { user: 'system:kube-proxy' }, apiUrl);
    for (const { name, ip } of nodes) {
      await credentials.kubeconfig(`kubelet-${name}`, { user: `system:node:${name}`, groups: ['system:nodes'] }, apiUrl);
      await credentials.serverCertificate(`kubelet-${name}`, { dnsNames: [name], ips: [ip] });
    }
    await mkdir(dirname(target), { recursive: true });
    await rename(draft, target);
  }
  await handOut(target);
}

/** Each node gets what is its own. */
async function handOut(from: string): Promise<void> {
  for (const node of nodes) {
    const folder = join(rootOf(node), 'etc/kubernetes');
    await mkdir(folder, { recursive: true });
    const own = ['kubeconfig', 'crt', 'key'].map((ending) => [`kubelet-${node.name}.${ending}`, `kubelet.${ending}`] as const);
    const shared = ['ca.crt', 'kube-proxy.kubeconfig'].map((name) => [name, name] as const);
    for (const [source, target] of [...own, ...shared]) await installFile(join(from, source), join(folder, target), 0o600);
  }
  await mkdir(dirname(kubeconfigPath), { recursive: true, mode: 0o700 });
  await installFile(join(from, 'admin.kubeconfig'), kubeconfigPath, 0o600);
}

function answersReady(ca: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = https.get(`${apiUrl}/readyz`, { ca, agent: false, timeout: 1000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(false));
  });
}
