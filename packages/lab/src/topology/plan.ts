/**
 * What a lab looks like, decided before anything is made:
 *
 *   pod ── veth ── node-a ── link-2 ═══ link-1 ── node-b ── veth ── pod
 *                     └─ ctl ── control ── ctl ─┘
 *
 * P1  every node has one address, 10.97.0.<n>, on its loopback; links are unnumbered, so a node is the same to all peers.
 * P2  device names live in a node's namespace only and carry a number (link-<n>, node-<n>) or a pod's address: no two collide.
 * P3  nothing is made outside of namespaces named by {@link namespacePrefix}.
 */
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { controlName, nodeNamespace } from './names.ts';

/** The full mesh of links grows with the square of it. */
const maxNodes = 8;

const controlIp = '10.97.1.1';

export type NodePlan = {
  readonly name: string;
  /** 1, 2, … in the order given. */
  readonly number: number;
  readonly namespace: string;
  readonly ip: string;
  /** The first three octets of the pod CIDR. */
  readonly podPrefix: string;
  readonly podCidr: string;
};

export type LinkEnd = { readonly namespace: string; readonly device: string };

export type LabPlan = {
  readonly id: string;
  readonly control: { readonly namespace: string; readonly ip: string };
  readonly nodes: readonly NodePlan[];
  /** Node to node, and control to node. */
  readonly links: readonly (readonly [LinkEnd, LinkEnd])[];
};

/** The plan for a lab, or MESH-CONFIG-003. */
export function planLab(request: { readonly id: string; readonly nodes: readonly string[] }): LabPlan {
  checkNames(request.nodes);
  const nodes = request.nodes.map((name, index) => planNode(request.id, name, index + 1));
  const control = { namespace: nodeNamespace(request.id, controlName), ip: controlIp };
  const between = nodes.flatMap((left) => nodes.filter(({ number }) => number > left.number).map((right) => link(left, right)));
  const toControl = nodes.map((node) => controlLink(control.namespace, node));
  return { id: request.id, control, nodes, links: [...between, ...toControl] };
}

/** The device in a node's namespace that leads to another node. */
export function linkDevice(peer: NodePlan): string {
  return `link-${peer.number}`;
}

/** The device in the control namespace that leads to a node. */
export function controlDevice(node: NodePlan): string {
  return `node-${node.number}`;
}

/** The device in a node's namespace that leads to the control namespace. */
export const nodeControlDevice = 'ctl';

function planNode(id: string, name: string, number: number): NodePlan {
  const podPrefix = `10.244.${number}`;
  return { name, number, namespace: nodeNamespace(id, name), ip: `10.97.0.${number}`, podPrefix, podCidr: `${podPrefix}.0/24` };
}

function link(left: NodePlan, right: NodePlan): readonly [LinkEnd, LinkEnd] {
  return [
    { namespace: left.namespace, device: linkDevice(right) },
    { namespace: right.namespace, device: linkDevice(left) },
  ];
}

function controlLink(controlNamespace: string, node: NodePlan): readonly [LinkEnd, LinkEnd] {
  return [
    { namespace: controlNamespace, device: controlDevice(node) },
    { namespace: node.namespace, device: nodeControlDevice },
  ];
}

function checkNames(names: readonly string[]): void {
  if (names.length === 0 || names.length > maxNodes) {
    throw new MeshError('MESH-CONFIG-003', {
      message: `a lab of ${names.length} nodes`,
      hint: `Ask for 1 to ${maxNodes} nodes.`,
    });
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined || names.includes(controlName)) {
    const message = `node name ${JSON.stringify(twice ?? controlName)} is taken`;
    throw new MeshError('MESH-CONFIG-003', { message, hint: `Give each node a name of its own, other than ${controlName}.` });
  }
}
