/** The plan as lines for `ip -batch`; pure, so that the whole network can be read in a test. */
import { controlDevice, linkDevice, nodeControlDevice } from './plan.ts';
import type { LabPlan, NodePlan } from './plan.ts';

/** The pods' gateway: link-local, answered by each node's loopback address, the same in every pod. */
const podGateway = '169.254.1.1';

/** The pod's end of its veth. */
export const podDevice = 'eth0';

/** Makes the namespaces. */
export function namespaceCommands(plan: LabPlan): readonly string[] {
  return [plan.control, ...plan.nodes].map(({ namespace }) => `netns add ${namespace}`);
}

/** Joins them. Both ends are born in their namespaces: none is ever visible on the machine itself. */
export function linkCommands(plan: LabPlan): readonly string[] {
  return plan.links.map(([left, right]) => vethCommand(left, right));
}

/** Addresses and routes inside a node. */
export function nodeCommands(plan: LabPlan, node: NodePlan): readonly string[] {
  const peers = plan.nodes.filter((other) => other !== node);
  return [
    'link set lo up',
    `address add ${node.ip}/32 dev lo`,
    `address add ${podGateway}/32 dev lo scope link`,
    ...reach(nodeControlDevice, plan.control.ip, node.ip),
    ...peers.flatMap((peer) => reachWithPods(linkDevice(peer), peer, node.ip)),
  ];
}

/** Addresses and routes inside the control namespace, which reaches nodes and pods. */
export function controlCommands(plan: LabPlan): readonly string[] {
  return [
    'link set lo up',
    `address add ${plan.control.ip}/32 dev lo`,
    ...plan.nodes.flatMap((node) => reachWithPods(controlDevice(node), node, plan.control.ip)),
  ];
}

/** The node's end of a pod's veth (P2: 12 characters, from an address that only one pod has). */
export function podLinkDevice(ip: string): string {
  const hex = ip.split('.').map((octet) => Number(octet).toString(16).padStart(2, '0'));
  return `veth${hex.join('')}`;
}

/** Makes the pod's veth. */
export function podLinkCommand(node: NodePlan, pod: { readonly namespace: string; readonly ip: string }): string {
  return vethCommand(
    { namespace: node.namespace, device: podLinkDevice(pod.ip) },
    { namespace: pod.namespace, device: podDevice },
  );
}

/** Addresses and routes inside a pod. */
export function podCommands(ip: string): readonly string[] {
  return [
    'link set lo up',
    `link set ${podDevice} up`,
    `address add ${ip}/32 dev ${podDevice}`,
    `route add ${podGateway}/32 dev ${podDevice} scope link`,
    `route add default via ${podGateway} dev ${podDevice} src ${ip}`,
  ];
}

/** What the node needs to reach a pod of its own; its own calls (probes) come from the node's address. */
export function podRouteCommands(node: NodePlan, ip: string): readonly string[] {
  return reach(podLinkDevice(ip), ip, node.ip);
}

function reach(device: string, ip: string, from: string): readonly string[] {
  return [`link set ${device} up`, `route add ${ip}/32 dev ${device} scope link src ${from}`];
}

function reachWithPods(device: string, node: NodePlan, from: string): readonly string[] {
  return [...reach(device, node.ip, from), `route add ${node.podCidr} via ${node.ip} dev ${device} onlink src ${from}`];
}

type End = { readonly namespace: string; readonly device: string };

function vethCommand(left: End, right: End): string {
  return `link add ${left.device} netns ${left.namespace} type veth peer name ${right.device} netns ${right.namespace}`;
}
