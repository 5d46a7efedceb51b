/** A node: containerd, kubelet and kube-proxy in a machine, and the images that pods are made of. */
import { spawn } from 'node:child_process';
import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { RunTool } from '@clearmesh/lab/host/run-tool';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Machine } from '../machine/machine.ts';
import { installFile, saysInside, writeInside } from '../machine/root-folder.ts';
import { connectNode, disconnectNode } from '../network.ts';
import { cniPlugins, programsInside, rootOf } from '../paths.ts';
import { dnsServiceIp } from '../plan.ts';
import type { NodePlan } from '../plan.ts';
import { cniConfig, cniConfigFile, containerdConfig, kubeProxyConfig, kubeletConfig } from './configuration.ts';

export const nodePrograms: readonly string[] = ['containerd', 'kubelet', 'kube-proxy'];

const pollMs = 100;
/** Asked by the DNS server's cluster IP: an answer tells that kube-proxy leads there, too. */
const nameQuery: readonly string[] = ['busybox', 'nslookup', 'kubernetes.default.svc.cluster.local', dnsServiceIp];

export type NodeDeps = { readonly clock: Clock; readonly run: RunTool };

export class ClusterNode {
  readonly plan: NodePlan;
  readonly machine: Machine;
  readonly #deps: NodeDeps;

  constructor(plan: NodePlan, machine: Machine, deps: NodeDeps) {
    this.plan = plan;
    this.machine = machine;
    this.#deps = deps;
  }

  /** The machine with containerd, which answers. */
  async startContainers(signal: AbortSignal): Promise<void> {
    await connectNode(this.#deps.run, this.plan);
    await this.machine.boot();
    await this.#configure('containerd', '/etc/containerd/config.toml', containerdConfig());
    for (const name of cniPlugins.names) await this.#installPlugin(name);
    await this.machine.start(['/usr/bin/containerd', '--config', '/etc/containerd/config.toml']);
    await this.#until('containerd', () => this.machine.run(['ctr', 'version']), signal);
  }

  /** The node joins; its kubeconfigs and certificates lie in /etc/kubernetes. */
  async join(): Promise<void> {
    const { plan, machine } = this;
    await this.#configure('kubelet', '/etc/kubernetes/kubelet.yaml', kubeletConfig(plan));
    await this.#configure('kube-proxy', '/etc/kubernetes/kube-proxy.yaml', kubeProxyConfig(plan));
    // Not again: a mesh chains itself into it, and that outlives a reboot.
    if (!existsSync(join(rootOf(plan), cniConfigFile))) await writeInside(plan, cniConfigFile, cniConfig(plan));
    await this.#startKubelet();
    await machine.start([`${programsInside}/kube-proxy`, '--config=/etc/kubernetes/kube-proxy.yaml']);
  }

  /** Resolves when the kubelet serves. One that found containerd not ready yet, and ended, is started again. */
  async healthy(signal: AbortSignal): Promise<void> {
    const ask = (): Promise<unknown> => this.machine.run(['busybox', 'wget', '-q', '-O', '-', 'http://127.0.0.1:10248/healthz']);
    for (let startsLeft = 5; ; startsLeft--) {
      try {
        return await this.#until('kubelet', ask, signal);
      } catch (error) {
        if (startsLeft === 0 || signal.aborted || this.machine.running().includes('kubelet')) throw error;
        await this.#startKubelet();
      }
    }
  }

  async #startKubelet(): Promise<void> {
    const { plan, machine } = this;
    await machine.start([
      `${programsInside}/kubelet`,
      '--config=/etc/kubernetes/kubelet.yaml',
      '--kubeconfig=/etc/kubernetes/kubelet.kubeconfig',
      `--hostname-override=${plan.name}`,
      `--node-ip=${plan.ip}`,
    ]);
  }

  /** Resolves when names of Services are answered here. */
  async namesAnswered(signal: AbortSignal): Promise<void> {
    await this.#until('kube-proxy', () => this.machine.run(nameQuery), signal, 'leads to no DNS server that answers');
  }

  /** True when names of Services are answered here; false after a few seconds at most. */
  answersNames(): Promise<boolean> {
    return succeeds(() => this.machine.run(nameQuery));
  }

  /** Unpacks an OCI archive into the node's images. */
  async load(archive: string): Promise<void> {
    const command = this.machine.enter(['ctr', '--namespace', 'k8s.io', 'images', 'import', '-']);
    const [file = '', ...args] = command ?? [];
    if (file === '') throw new MeshError('MESH-LAB-001', { message: `node ${this.plan.name} is off` });
    const child = spawn(file, args, { stdio: ['pipe', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => void child.once('close', resolve));
    // A broken pipe tells less than what the program says of the archive.
    const copied = pipeline(createReadStream(archive), child.stdin).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
    const [code] = await Promise.all([ended, copied]);
    if (code === 0) return;
    const message = `${archive} cannot be loaded into ${this.plan.name}: ${said.trim()}`;
    throw new MeshError('MESH-LAB-001', { message, hint: 'It must be an image as an OCI archive.' });
  }

  /** Power off: processes, containers and namespaces of pods are gone, the disk stays. */
  async off(): Promise<void> {
    await this.machine.off();
    await disconnectNode(this.#deps.run, this.plan);
  }

  async #installPlugin(name: string): Promise<void> {
    await installFile(join(cniPlugins.folder, name), join(rootOf(this.plan), 'opt/cni/bin', name), 0o755);
  }

  /**
   * What a program reads when it starts. One that runs with another text ends before the file changes: a kube-proxy that
   * sees it change ends by itself, but later, and would be taken for one that runs.
   */
  async #configure(program: string, path: string, text: string): Promise<void> {
    if (await saysInside(this.plan, path, text)) return;
    await this.machine.end(program);
    await writeInside(this.plan, path, text);
  }

  async #until(
    program: string,
    attempt: () => Promise<unknown>,
    signal: AbortSignal,
    complaint = 'does not serve',
  ): Promise<void> {
    for (;;) {
      if (await succeeds(attempt)) return;
      if (signal.aborted || !this.machine.running().includes(program)) {
        const said = await this.machine.logTail(program);
        throw new MeshError('MESH-LAB-001', { message: `${program} of ${this.plan.name} ${complaint}; it said:\n${said}` });
      }
      await delay(this.#deps.clock, pollMs, AbortSignal.timeout(pollMs * 10));
    }
  }
}

function succeeds(attempt: () => Promise<unknown>): Promise<boolean> {
  return attempt().then(
    () => true,
    () => false,
  );
}
