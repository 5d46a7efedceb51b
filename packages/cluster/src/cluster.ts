/**
 * The cluster as a whole. Every operation looks at what is there and makes the difference, so each may be repeated, and
 * may follow a crash of any other.
 *
 *   down ── up ──▶ up ── reboot(node) ──▶ up ── down ──▶ down
 *
 * K1  one operation at a time on a machine.
 * K2  `down` goes by names and folders that are the cluster's alone, never by a note that a crash may have prevented.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createRunTool } from '@clearmesh/lab/host/run-tool';
import type { RunTool } from '@clearmesh/lab/host/run-tool';
import { namespacePath } from '@clearmesh/lab/topology/names';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { withMachineLock } from '@clearmesh/shared/lifecycle/machine-lock';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { installCoredns, installKubernetes } from '@clearmesh/shared/testing/kubernetes/install-kubernetes';
import { ControlPlane, controlPrograms, makeCredentials } from './control/control-plane.ts';
import { requireHost } from './host-check.ts';
import { leftCgroups, removeCgroups } from './machine/cgroups.ts';
import { Machine } from './machine/machine.ts';
import { ClusterNode, nodePrograms } from './node/node.ts';
import { diskDirectory, kubeconfigPath, stateDirectory } from './paths.ts';
import { control, machines, nodeNamed, nodes, outsideDevice } from './plan.ts';
import { stateOf } from './status.ts';
import type { ClusterStatus, NodeStatus } from './status.ts';
import { dnsManifests } from './system/dns.ts';
import { systemImages } from './system/images.ts';

export type ClusterDeps = {
  readonly clock: Clock;
  /** @default process.env */
  readonly env?: NodeJS.ProcessEnv;
  /** Told what is being done, for people. */
  readonly onProgress: (line: string) => void;
};

/** For each part of an operation, not for the building of programs. */
const patienceMs = 120_000;
const lockPatienceMs = 600_000;

export class Cluster {
  readonly kubeconfigPath: string = kubeconfigPath;
  readonly nodes: readonly ClusterNode[];
  readonly #control: ControlPlane;
  readonly #kubectl: string;
  readonly #coredns: string;
  readonly #run: RunTool;
  readonly #deps: ClusterDeps;

  private constructor(deps: ClusterDeps, programs: { readonly kubectl: string; readonly coredns: string }) {
    const env = deps.env ?? process.env;
    this.#deps = deps;
    this.#kubectl = programs.kubectl;
    this.#coredns = programs.coredns;
    this.#run = createRunTool(env);
    const parts = { clock: deps.clock, run: this.#run, env, programs: dirname(programs.kubectl) };
    this.#control = new ControlPlane(new Machine(control, parts), parts);
    this.nodes = nodes.map((plan) => new ClusterNode(plan, new Machine(plan, parts), parts));
  }

  /** Looks at the machine, MESH-HOST-001, and builds the programs that the cache lacks; touches nothing else. */
  static async prepare(deps: ClusterDeps): Promise<Cluster> {
    await requireHost();
    const names = ['kubectl', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy'] as const;
    const { kubectl } = await installKubernetes(names);
    return new Cluster(deps, { kubectl, coredns: await installCoredns() });
  }

  /** Resolves when both nodes are ready and names of services are answered on both. */
  async up(): Promise<void> {
    await this.#alone(async () => {
      const signal = AbortSignal.timeout(patienceMs);
      await mkdir(diskDirectory, { recursive: true, mode: 0o700 });
      this.#say('making certificates, images and machines');
      await makeCredentials();
      const archives = systemImages(join(diskDirectory, 'images'), this.#coredns);
      await this.#control.connect();
      await Promise.all([this.#startControl(signal), this.#startNodes(archives, signal)]);
      this.#say('waiting for the nodes and for DNS');
      await this.#applyDns();
      await this.kubectl(['wait', '--for=condition=Ready', '--timeout=90s', 'node', '--all']);
      await this.kubectl(['--namespace=kube-system', 'rollout', 'status', '--timeout=90s', 'deployment/coredns']);
      await Promise.all(this.nodes.map((node) => node.namesAnswered(signal)));
    });
  }

  /** Everything of it is gone afterwards; with nothing there, nothing happens. */
  async down(): Promise<void> {
    await this.#alone(async () => {
      for (const { plan } of this.nodes) this.#say(`${plan.name}: off`);
      await Promise.all(this.nodes.map((node) => node.off()));
      await this.#control.off();
      await removeCgroups(this.#deps.clock);
      await rm(diskDirectory, { recursive: true, force: true });
      await rm(stateDirectory, { recursive: true, force: true });
    });
  }

  /** Power off and on again: containers and pods' namespaces are gone, disk and images stay; resolves when the kubelet serves. */
  async reboot(name: string): Promise<void> {
    const node = this.node(name);
    await this.#alone(async () => {
      const signal = AbortSignal.timeout(patienceMs);
      this.#say(`${name}: off`);
      await node.off();
      this.#say(`${name}: on`);
      await node.startContainers(signal);
      await node.join();
      await node.healthy(signal);
    });
  }

  /** Loads images into every node. */
  async load(archives: readonly string[]): Promise<void> {
    await this.#alone(async () => {
      for (const archive of archives) {
        if (!existsSync(archive)) throw new MeshError('MESH-CONFIG-003', { message: `there is no archive ${archive}` });
        this.#say(`loading ${archive}`);
        await Promise.all(this.nodes.map((node) => node.load(archive)));
      }
    });
  }

  async status(): Promise<ClusterStatus> {
    const parts = [
      { machine: this.#control.machine, programs: controlPrograms },
      ...this.nodes.map(({ machine }) => ({ machine, programs: nodePrograms })),
    ];
    const seen = parts.map(({ machine, programs }) => {
      const running = machine.running();
      const status = programs.map((name) => ({ name, running: running.includes(name) }));
      return { name: machine.plan.name, on: machine.enter([]) !== undefined, programs: status };
    });
    const isServing = seen[0]?.programs.every(({ running }) => running) === true;
    const status = {
      kubeconfig: kubeconfigPath,
      machines: seen,
      nodes: isServing ? await this.#nodeStatus() : [],
      dns: isServing && (await this.#dnsServes()),
      left: await this.#leftovers(),
    };
    return { state: stateOf(status, nodes.length), ...status };
  }

  /** A node by its name, or MESH-CONFIG-003. */
  node(name: string): ClusterNode {
    const { name: known } = nodeNamed(name);
    return this.nodes.find(({ plan }) => plan.name === known) as ClusterNode;
  }

  /** A machine by its name, the control machine included, or MESH-CONFIG-003. */
  machine(name: string): Machine {
    return name === control.name ? this.#control.machine : this.node(name).machine;
  }

  /** The vector that runs kubectl against the cluster. */
  kubectlCommand(args: readonly string[]): readonly string[] {
    return [this.#kubectl, `--kubeconfig=${kubeconfigPath}`, ...args];
  }

  /** Runs kubectl to its end; gives its output, or MESH-LAB-001 with what it said. */
  kubectl(args: readonly string[], input = ''): Promise<string> {
    const [file = '', ...rest] = this.kubectlCommand(args);
    return new Promise((resolve, reject) => {
      const child = execFile(file, rest, { maxBuffer: 64 * 2 ** 20 }, (cause, stdout, stderr) => {
        if (cause === null) return resolve(stdout);
        reject(new MeshError('MESH-LAB-001', { message: `kubectl ${args.join(' ')} failed: ${stderr.trim()}`, cause }));
      });
      child.stdin?.on('error', () => {}).end(input);
    });
  }

  async #startControl(signal: AbortSignal): Promise<void> {
    await this.#control.start(signal);
    this.#say('the API server serves');
  }

  async #startNodes(archives: Promise<readonly string[]>, signal: AbortSignal): Promise<void> {
    const files = await archives;
    await Promise.all(
      this.nodes.map(async (node) => {
        await node.startContainers(signal);
        for (const file of files) await node.load(file);
        await node.join();
        await node.healthy(signal);
        this.#say(`${node.plan.name}: containerd, kubelet and kube-proxy run`);
      }),
    );
  }

  async #applyDns(): Promise<void> {
    await this.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], dnsManifests());
  }

  async #nodeStatus(): Promise<readonly NodeStatus[]> {
    const template = '{range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}';
    const text = await this.kubectl(['get', 'nodes', '--request-timeout=5s', `--output=jsonpath=${template}`]).catch(() => '');
    const lines = text.split('\n').filter((line) => line !== '');
    return lines.map((line) => {
      const [name = '', ready] = line.split(' ');
      return { name, ready: ready === 'True' };
    });
  }

  async #dnsServes(): Promise<boolean> {
    return (await Promise.all(this.nodes.map((node) => node.answersNames()))).every(Boolean);
  }

  async #leftovers(): Promise<readonly string[]> {
    const namespaces = machines.map(({ namespace }) => namespacePath(namespace));
    const places = [...namespaces, `/sys/class/net/${outsideDevice}`, diskDirectory, stateDirectory];
    return [...places.filter((place) => existsSync(place)), ...(await leftCgroups())];
  }

  #say(line: string): void {
    this.#deps.onProgress(line);
  }

  #alone(task: () => Promise<void>): Promise<void> {
    const busy = (): MeshError =>
      new MeshError('MESH-LAB-001', {
        message: 'another command has been working on the cluster for too long',
        hint: 'Find its process with: ss -xlp | grep clearmesh-cluster',
      });
    const lock = { name: 'clearmesh-cluster', timeoutMs: lockPatienceMs, busy, signal: AbortSignal.timeout(lockPatienceMs) };
    const onWait = (): void => this.#say('waiting for another command that works on the cluster');
    return withMachineLock({ ...lock, onWait }, this.#deps, task);
  }
}
