/**
 * What the cluster looks like, decided before anything is made:
 *
 *   vault-a ── eth0 ═ vault-a ─┐                      ┌─ vault-b ═ eth0 ── vault-b
 *                              ├─ bridge in control ──┤
 *                              └─ root ═ cmcluster ── this machine
 *
 * P1  each machine (control, vault-a, vault-b) is a network, mount, process and host-name namespace of its own.
 * P2  on this machine itself there is one device, `cmcluster`, and what lies in the two folders of paths.ts.
 * P3  the link between the nodes is `eth0` of each: what one node sends to another is seen there.
 */
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

export type MachinePlan = {
  readonly name: string;
  readonly namespace: string;
  readonly ip: string;
};

export type NodePlan = MachinePlan & { readonly podCidr: string };

/** All pods of all nodes. */
export const clusterCidr = '10.244.0.0/16';
/** Where the API server listens; reachable from nodes, pods and this machine. */
export const apiPort = 6443;
/** This machine's own address on the cluster's network, for servers outside of the cluster. */
export const outsideIp = '10.98.0.254';
export const outsideDevice = 'cmcluster';
/** Of all addresses of machines. */
export const prefixLength = 24;
/** The cluster IP of the DNS server. */
export const dnsServiceIp = '10.96.0.10';

export const control: MachinePlan = { name: 'control', namespace: 'cm-cluster-control', ip: '10.98.0.1' };

export const nodes: readonly NodePlan[] = ['vault-a', 'vault-b'].map((name, index) => ({
  name,
  namespace: `cm-cluster-${name}`,
  ip: `10.98.0.${11 + index}`,
  podCidr: `10.244.${1 + index}.0/24`,
}));

export const machines: readonly MachinePlan[] = [control, ...nodes];

export const apiUrl: string = `https://${control.ip}:${apiPort}`;

/** A node by its name, or MESH-CONFIG-003. */
export function nodeNamed(name: string): NodePlan {
  const node = nodes.find((candidate) => candidate.name === name);
  if (node !== undefined) return node;
  const names = nodes.map((candidate) => candidate.name).join(', ');
  throw new MeshError('MESH-CONFIG-003', {
    message: `the cluster has no node ${JSON.stringify(name)}`,
    hint: `Its nodes are ${names}.`,
  });
}

/** A machine by its name, or MESH-CONFIG-003. */
export function machineNamed(name: string): MachinePlan {
  return name === control.name ? control : nodeNamed(name);
}
