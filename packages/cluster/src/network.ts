/** Namespaces, bridge and links. The lines for `ip -batch` are pure; making is idempotent by looking first. */
import { existsSync } from 'node:fs';
import type { RunTool } from '@clearmesh/lab/host/run-tool';
import { namespacePath } from '@clearmesh/lab/topology/names';
import { applySysctls, endpointSysctls, nodeSysctls } from '@clearmesh/lab/topology/sysctls';
import { control, nodes, outsideDevice, outsideIp, prefixLength } from './plan.ts';
import type { MachinePlan, NodePlan } from './plan.ts';

const bridge = 'cluster0';
/** The bridge's port that leads to this machine. */
const outsidePort = 'root';

/** The control namespace with the bridge, and this machine's own link to it. */
export async function connectControl(run: RunTool): Promise<void> {
  if (!(await hasDevice(run, control, bridge))) {
    await disconnectControl(run);
    await batch(run, [`netns add ${control.namespace}`]);
    applySysctls(namespacePath(control.namespace), endpointSysctls);
    await batch(run, controlCommands(), control);
  }
  if (existsSync(`/sys/class/net/${outsideDevice}`)) return;
  await batch(run, [`link add ${outsideDevice} type veth peer name ${outsidePort} netns ${control.namespace}`]);
  await batch(run, [`link set ${outsidePort} master ${bridge} up`], control);
  await batch(run, outsideCommands());
}

/** A node's namespace and its link to the bridge. */
export async function connectNode(run: RunTool, node: NodePlan): Promise<void> {
  if (await hasDevice(run, node, 'eth0')) return;
  await disconnectNode(run, node);
  await batch(run, [`netns add ${node.namespace}`]);
  applySysctls(namespacePath(node.namespace), nodeSysctls);
  await batch(run, [`link add eth0 netns ${node.namespace} type veth peer name ${node.name} netns ${control.namespace}`]);
  await batch(run, [`link set ${node.name} master ${bridge} up`], control);
  await batch(run, nodeCommands(node), node);
}

/** The node's processes are gone. Its port first: the kernel takes its time with the rest, and the name must be free. */
export async function disconnectNode(run: RunTool, node: NodePlan): Promise<void> {
  if (await hasDevice(run, control, node.name)) await batch(run, [`link delete ${node.name}`], control);
  await removeNamespace(run, node);
}

export async function disconnectControl(run: RunTool): Promise<void> {
  if (existsSync(`/sys/class/net/${outsideDevice}`)) await batch(run, [`link delete ${outsideDevice}`]);
  await removeNamespace(run, control);
}

function controlCommands(): readonly string[] {
  return [
    'link set lo up',
    `link add ${bridge} type bridge`,
    `link set ${bridge} up`,
    `address add ${control.ip}/${prefixLength} dev ${bridge}`,
    ...nodes.map(podRoute),
  ];
}

export function nodeCommands(node: NodePlan): readonly string[] {
  const peers = nodes.filter((other) => other.name !== node.name);
  return ['link set lo up', 'link set eth0 up', `address add ${node.ip}/${prefixLength} dev eth0`, ...peers.map(podRoute)];
}

/** Tests on this machine reach nodes and pods, and pods reach servers on {@link outsideIp}. */
function outsideCommands(): readonly string[] {
  return [
    `link set ${outsideDevice} up`,
    `address add ${outsideIp}/${prefixLength} dev ${outsideDevice}`,
    ...nodes.map(podRoute),
  ];
}

function podRoute(node: NodePlan): string {
  return `route add ${node.podCidr} via ${node.ip}`;
}

async function hasDevice(run: RunTool, { namespace }: MachinePlan, device: string): Promise<boolean> {
  if (!existsSync(namespacePath(namespace))) return false;
  return run(['ip', '-netns', namespace, 'link', 'show', device]).then(
    () => true,
    () => false,
  );
}

async function removeNamespace(run: RunTool, { namespace }: MachinePlan): Promise<void> {
  if (existsSync(namespacePath(namespace))) await batch(run, [`netns delete ${namespace}`]);
}

async function batch(run: RunTool, lines: readonly string[], where?: MachinePlan): Promise<void> {
  const inside = where === undefined ? [] : ['-netns', where.namespace];
  await run(['ip', ...inside, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}
