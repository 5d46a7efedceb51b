/** Rows of `clearmesh proxy`, with the columns that operators of ztunnel know (control-plane-contract section 8). Pure. */
import type { Row } from '../terminal/rows.ts';
import type { DumpedCertificate, DumpedPem, ZtunnelDump } from './dump.ts';

export type ProxySubject = 'workloads' | 'services' | 'policies' | 'certificates' | 'connections' | 'pods';

export type Selection = {
  /** Only of this namespace. @default all */
  readonly namespace?: string;
  /** Only workloads and services with this address. @default all */
  readonly address?: string;
  /** Only connections that go this way. @default both */
  readonly direction?: 'inbound' | 'outbound';
  /** Addresses of connections as they are, instead of the names behind them. @default false */
  readonly raw?: boolean;
};

export function proxyRows(subject: ProxySubject, dump: ZtunnelDump, selection: Selection, nowMs: number): readonly Row[] {
  switch (subject) {
    case 'workloads':
      return workloads(dump, selection);
    case 'services':
      return services(dump, selection);
    case 'policies':
      return policies(dump, selection);
    case 'certificates':
      return dump.certificates.flatMap((certificate) => certificates(certificate, nowMs));
    case 'connections':
      return connections(dump, selection);
    case 'pods':
      return pods(dump, selection);
  }
}

/** Titles where there is no row to take them from. */
export const proxyColumns: Readonly<Record<ProxySubject, readonly string[]>> = {
  workloads: ['namespace', 'pod name', 'address', 'node', 'waypoint', 'protocol'],
  services: ['namespace', 'service name', 'service vip', 'waypoint', 'endpoints'],
  policies: ['namespace', 'policy name', 'action', 'scope'],
  certificates: ['certificate name', 'type', 'status', 'valid cert', 'serial number', 'not after', 'not before'],
  connections: ['workload', 'direction', 'local', 'remote', 'remote target', 'protocol'],
  pods: ['namespace', 'pod name', 'state', 'listeners', 'certificate', 'inbound', 'outbound', 'last failure'],
};

function workloads(dump: ZtunnelDump, { namespace, address }: Selection): readonly Row[] {
  return inOrder(dump.workloads)
    .filter((each) => isIn(each.namespace, namespace) && (address === undefined || each.workloadIps.includes(address)))
    .map((each) => ({
      namespace: each.namespace,
      'pod name': each.name,
      address: each.workloadIps.join(','),
      node: each.node,
      waypoint: waypointName(each.waypoint),
      protocol: each.protocol,
    }));
}

function services(dump: ZtunnelDump, { namespace, address }: Selection): readonly Row[] {
  return inOrder(dump.services)
    .map((each) => ({ ...each, ips: each.vips.map((vip) => vip.slice(vip.indexOf('/') + 1)) }))
    .filter((each) => isIn(each.namespace, namespace) && (address === undefined || each.ips.includes(address)))
    .map(({ namespace: own, name, ips, waypoint, endpoints }) => ({
      namespace: own,
      'service name': name,
      'service vip': ips.join(','),
      waypoint: waypointName(waypoint),
      endpoints: `${endpoints.filter(({ status }) => status === 'Healthy').length}/${endpoints.length}`,
    }));
}

function policies(dump: ZtunnelDump, { namespace }: Selection): readonly Row[] {
  return inOrder(dump.policies)
    .filter((each) => isIn(each.namespace, namespace))
    .map(({ namespace: own, name, action, scope, dryRun }) => ({
      namespace: own,
      'policy name': name,
      action: dryRun ? `${action} (dry run)` : action,
      scope: scope,
    }));
}

/** One row a certificate of the chain: the workload's own, those of authorities between, the root. */
function certificates({ identity, state, certChain, rootCerts }: DumpedCertificate, nowMs: number): readonly Row[] {
  const row = (type: string, certificate: DumpedPem | undefined): Row => ({
    'certificate name': identity,
    type: type,
    status: state,
    'valid cert': String(certificate !== undefined && isValid(certificate, nowMs)),
    'serial number': certificate?.serialNumber ?? '',
    'not after': certificate?.expirationTime ?? '',
    'not before': certificate?.validFrom ?? '',
  });
  if (certChain.length === 0) return [row('Leaf', undefined)];
  return [
    ...certChain.map((each, index) => row(index === 0 ? 'Leaf' : 'Intermediate', each)),
    ...rootCerts.map((each) => row('Root', each)),
  ];
}

function connections(dump: ZtunnelDump, { namespace, direction, raw = false }: Selection): readonly Row[] {
  const named = raw ? (address: string): string => address : namesIn(dump);
  return dump.connections
    .filter(
      (each) => isIn(each.workload.split('/')[0] ?? '', namespace) && (direction === undefined || each.direction === direction),
    )
    .map((each) => {
      const outbound = each.direction === 'outbound';
      return {
        workload: each.workload,
        direction: outbound ? 'Outbound' : 'Inbound',
        local: named(outbound ? each.src : each.actualDst),
        remote: named(outbound ? each.actualDst : each.src),
        'remote target': outbound ? named(each.originalDst) : '',
        protocol: each.protocol,
      };
    });
}

function pods(dump: ZtunnelDump, { namespace }: Selection): readonly Row[] {
  return inOrder(dump.pods)
    .filter((each) => isIn(each.namespace, namespace))
    .map(({ namespace: own, name, serviceAccount, state, listeners, connections: [inbound, outbound], lastFailure, known }) => ({
      namespace: own,
      'pod name': name,
      state: known ? state : `${state}, unknown to the control plane`,
      listeners: listeners,
      certificate:
        dump.certificates.find(({ identity }) => identity.endsWith(`/ns/${own}/sa/${serviceAccount}`))?.state ?? 'None',
      inbound: String(inbound),
      outbound: String(outbound),
      'last failure': lastFailure,
    }));
}

/** `name.namespace:port` for an address that the dump knows. */
function namesIn(dump: ZtunnelDump): (address: string) => string {
  const names = new Map<string, string>();
  for (const { name, namespace, vips } of dump.services)
    for (const vip of vips) names.set(vip.slice(vip.indexOf('/') + 1), `${name}.${namespace}`);
  for (const { name, namespace, workloadIps } of dump.workloads)
    for (const ip of workloadIps) names.set(ip, `${name}.${namespace}`);
  return (address) => {
    const colon = address.lastIndexOf(':');
    const name = names.get(address.slice(0, Math.max(0, colon)).replaceAll(/[[\]]/g, ''));
    return name === undefined ? address : `${name}${address.slice(colon)}`;
  };
}

/** The name of a waypoint's Service, which is the Gateway's. */
function waypointName(destination: string): string {
  if (destination === '') return 'None';
  const host = destination.slice(destination.indexOf('/') + 1);
  return /^[\d.]+$|:/.test(host) ? host : (host.split('.')[0] ?? host);
}

function isValid({ validFrom, expirationTime }: DumpedPem, nowMs: number): boolean {
  return Date.parse(validFrom) <= nowMs && nowMs < Date.parse(expirationTime);
}

function isIn(namespace: string, wanted: string | undefined): boolean {
  return wanted === undefined || namespace === wanted;
}

function inOrder<T extends { readonly namespace: string; readonly name: string }>(objects: readonly T[]): readonly T[] {
  const key = ({ namespace, name }: T): string => `${namespace}/${name}`;
  return objects.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}
