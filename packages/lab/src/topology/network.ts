/** Makes what the plan says: the shell around {@link planLab}, `ip`, `nft` and the kernel settings. */
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { RunTool } from '../host/run-tool.ts';
import {
  controlCommands,
  linkCommands,
  namespaceCommands,
  nodeCommands,
  podCommands,
  podLinkCommand,
  podLinkDevice,
  podRouteCommands,
} from './commands.ts';
import { namespacePath, podNamespace } from './names.ts';
import type { LabPlan, NodePlan } from './plan.ts';
import { PodAddresses } from './pod-addresses.ts';
import { serviceRules } from './service-rules.ts';
import type { LabService } from './service-rules.ts';
import { applySysctls, endpointSysctls, nodeSysctls } from './sysctls.ts';

export type PodSpec = {
  readonly node: string;
  readonly namespace: string;
  readonly name: string;
  /** An address of the node's pod CIDR; @default the lowest free one */
  readonly ip?: string;
};

export type LabPod = {
  readonly node: string;
  readonly namespace: string;
  readonly name: string;
  readonly ip: string;
  readonly namespacePath: string;
};

type PodName = { readonly namespace: string; readonly name: string };

export class LabNetwork {
  readonly #plan: LabPlan;
  readonly #run: RunTool;
  readonly #addresses: ReadonlyMap<string, PodAddresses>;
  /** By network namespace; reserved before the first wait, so that no two calls make the same pod. */
  readonly #pods = new Map<string, LabPod>();

  constructor(plan: LabPlan, deps: { readonly run: RunTool }) {
    this.#plan = plan;
    this.#run = deps.run;
    this.#addresses = new Map(plan.nodes.map((node) => [node.name, new PodAddresses(node)]));
  }

  get pods(): readonly LabPod[] {
    return [...this.#pods.values()];
  }

  /** Every namespace there is now. */
  get namespaces(): readonly string[] {
    return [this.#plan.control.namespace, ...this.#plan.nodes.map(({ namespace }) => namespace), ...this.#pods.keys()];
  }

  /** Nodes, control namespace and the links between them. */
  async build(signal: AbortSignal): Promise<void> {
    const { control, nodes } = this.#plan;
    await this.#batch(namespaceCommands(this.#plan), { signal });
    applySysctls(namespacePath(control.namespace), endpointSysctls);
    for (const { namespace } of nodes) applySysctls(namespacePath(namespace), nodeSysctls);
    await this.#batch(linkCommands(this.#plan), { signal });
    await this.#batch(controlCommands(this.#plan), { namespace: control.namespace, signal });
    for (const node of nodes) await this.#batch(nodeCommands(this.#plan, node), { namespace: node.namespace, signal });
  }

  /** A pod with its address and routes, reachable from every node when this resolves. */
  async addPod(spec: PodSpec): Promise<LabPod> {
    const node = this.nodePlan(spec.node);
    const name = podNamespace(this.#plan.id, spec.namespace, spec.name);
    if (this.#pods.has(name)) throw taken(spec);
    const ip = this.#addressesOf(node).take(spec.ip);
    const pod: LabPod = { node: node.name, namespace: spec.namespace, name: spec.name, ip, namespacePath: namespacePath(name) };
    this.#pods.set(name, pod);
    try {
      await this.#makePod(node, name, ip);
    } catch (error) {
      await this.#unmakePod(node, name, ip).catch(() => {});
      this.#forget(node, name, ip);
      throw error;
    }
    return pod;
  }

  /** Takes a pod away; its address is free again. A pod that does not exist is no error. */
  async removePod(target: PodName): Promise<void> {
    const name = podNamespace(this.#plan.id, target.namespace, target.name);
    const pod = this.#pods.get(name);
    if (pod === undefined) return;
    const node = this.nodePlan(pod.node);
    await this.#unmakePod(node, name, pod.ip);
    this.#forget(node, name, pod.ip);
  }

  /** Replaces the cluster IPs of every node. */
  async setServices(services: readonly LabService[]): Promise<void> {
    const input = serviceRules(services);
    const replace = ({ namespace }: NodePlan): Promise<string> =>
      this.#run(['nsenter', `--net=${namespacePath(namespace)}`, '--', 'nft', '-f', '-'], { input });
    await Promise.all(this.#plan.nodes.map(replace));
  }

  /** The plan of a node, or MESH-CONFIG-003. */
  nodePlan(name: string): NodePlan {
    const node = this.#plan.nodes.find((candidate) => candidate.name === name);
    if (node !== undefined) return node;
    const names = this.#plan.nodes.map((candidate) => candidate.name).join(', ');
    throw new MeshError('MESH-CONFIG-003', {
      message: `the lab has no node ${JSON.stringify(name)}`,
      hint: `Its nodes are ${names}.`,
    });
  }

  async #makePod(node: NodePlan, namespace: string, ip: string): Promise<void> {
    await this.#batch([`netns add ${namespace}`]);
    applySysctls(namespacePath(namespace), endpointSysctls);
    await this.#batch([podLinkCommand(node, { namespace, ip })]);
    await this.#batch(podCommands(ip), { namespace });
    await this.#batch(podRouteCommands(node, ip), { namespace: node.namespace });
  }

  /** The link first: the namespace itself lives on for as long as any process holds a socket in it. */
  async #unmakePod(node: NodePlan, namespace: string, ip: string): Promise<void> {
    await this.#batch([`link delete ${podLinkDevice(ip)}`], { namespace: node.namespace }).catch(() => {});
    await this.#batch([`netns delete ${namespace}`]);
  }

  #forget(node: NodePlan, namespace: string, ip: string): void {
    this.#pods.delete(namespace);
    this.#addressesOf(node).release(ip);
  }

  #addressesOf(node: NodePlan): PodAddresses {
    const addresses = this.#addresses.get(node.name);
    if (addresses === undefined) throw new MeshError('MESH-INTERNAL-001', { message: `node ${node.name} has no pod addresses` });
    return addresses;
  }

  async #batch(
    lines: readonly string[],
    where: { readonly namespace?: string; readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    const inside = where.namespace === undefined ? [] : ['-netns', where.namespace];
    const abort = where.signal === undefined ? {} : { signal: where.signal };
    await this.#run(['ip', ...inside, '-batch', '-'], { input: `${lines.join('\n')}\n`, ...abort });
  }
}

function taken(pod: PodName): MeshError {
  return new MeshError('MESH-CONFIG-003', {
    message: `pod ${pod.namespace}/${pod.name} exists already`,
    hint: 'Remove it first, or use another name.',
  });
}
