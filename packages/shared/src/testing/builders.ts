/** Model values for tests: say what matters, get sensible defaults for the rest. Wrong text throws at once. */
import { emptyMatch } from '../model/authorization.ts';
import type { Authorization, Match } from '../model/authorization.ts';
import { ipToBytes, parseIp } from '../model/ip-address.ts';
import type { Cidr, IpAddress, SocketAddress } from '../model/ip-address.ts';
import { podUid, policyKey, serviceKey } from '../model/names.ts';
import type { PolicyKey, ServiceKey, WorkloadUid } from '../model/names.ts';
import type { Service, ServiceAddress, ServicePort } from '../model/service.ts';
import { sparseWorkload } from '../model/sparse-workload.ts';
import type { PortMapping, Workload } from '../model/workload.ts';
import { spiffeId } from '../identity/spiffe.ts';
import type { SpiffeId } from '../identity/spiffe.ts';

/** A workload with names and addresses as plain text. */
export type WorkloadSpec = Partial<Omit<Workload, 'uid' | 'addresses' | 'authorizationPolicies' | 'services'>> & {
  /** @default `<clusterId>//Pod/<namespace>/<name>` */
  readonly uid?: string;
  /** @default ['10.0.0.1'] */
  readonly addresses?: readonly string[];
  readonly authorizationPolicies?: readonly string[];
  /** By `namespace/hostname`: service port to target port, or the model's map. */
  readonly services?: Readonly<Record<string, Readonly<Record<number, number>>>> | Workload['services'];
};

/** A service with names and addresses as plain text. */
export type ServiceSpec = Partial<Omit<Service, 'key' | 'addresses' | 'ports' | 'subjectAltNames'>> & {
  /** VIPs as `ip`, `ip/length`, `network/ip` or `network/ip/length`, or the model's values. @default ['10.96.0.1'] */
  readonly addresses?: readonly (string | ServiceAddress)[];
  /** Service port to target port, or the model's list. @default { 80: 8080 } */
  readonly ports?: Readonly<Record<number, number>> | readonly ServicePort[];
  readonly subjectAltNames?: readonly string[];
};

/** A pod in the mesh: namespace `bank`, account `default`, HBONE. */
export function workload(spec: WorkloadSpec = {}): Workload {
  const { uid, addresses, authorizationPolicies, services, ...rest } = spec;
  const name = spec.name ?? 'client';
  const namespace = spec.namespace ?? 'bank';
  const clusterId = spec.clusterId ?? 'Kubernetes';
  return sparseWorkload({
    uid: uid === undefined ? podUid(clusterId, namespace, name) : (uid as WorkloadUid),
    name,
    namespace,
    addresses: (addresses ?? ['10.0.0.1']).map(ip),
    network: '',
    trustDomain: 'cluster.local',
    serviceAccount: 'default',
    node: 'node-a',
    clusterId,
    authorizationPolicies: (authorizationPolicies ?? []) as readonly PolicyKey[],
    services: portMappings(services ?? {}),
    ...rest,
  });
}

/** A Kubernetes Service: `server.bank.svc.cluster.local`, VIP 10.96.0.1, port 80 to 8080. */
export function service(spec: ServiceSpec = {}): Service {
  const { addresses, ports, subjectAltNames, ...rest } = spec;
  const name = spec.name ?? 'server';
  const namespace = spec.namespace ?? 'bank';
  const hostname = spec.hostname ?? `${name}.${namespace}.svc.cluster.local`;
  return {
    key: serviceKey(namespace, hostname),
    name,
    namespace,
    hostname,
    addresses: (addresses ?? ['10.96.0.1']).map((address) => (typeof address === 'string' ? serviceAddress(address) : address)),
    ports: servicePorts(ports ?? { 80: 8080 }),
    subjectAltNames: (subjectAltNames ?? []) as readonly SpiffeId[],
    weightedWaypoints: [],
    ipFamilies: 'AUTOMATIC',
    canonical: true,
    ingressUseWaypoint: false,
    visibility: 'PUBLIC',
    ...rest,
  };
}

/** An ALLOW for namespace `bank` without rules, hence one that denies all. */
export function authorization(spec: Partial<Omit<Authorization, 'key'>> = {}): Authorization {
  const name = spec.name ?? 'policy';
  const namespace = spec.namespace ?? 'bank';
  return {
    key: policyKey(namespace, name),
    name,
    namespace,
    scope: 'NAMESPACE',
    action: 'ALLOW',
    rules: [],
    dryRun: false,
    ...spec,
  };
}

/** A match with nothing in it but what is given. */
export function match(spec: Partial<Match> = {}): Match {
  return { ...emptyMatch, ...spec };
}

/** `spiffe://cluster.local/ns/<namespace>/sa/<serviceAccount>`. */
export function identity(namespace: string, serviceAccount: string, trustDomain = 'cluster.local'): SpiffeId {
  return spiffeId({ trustDomain, namespace, serviceAccount });
}

export function ip(text: string): IpAddress {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new TypeError(`not an IP address: ${text}`);
  return parsed;
}

/** `10.0.0.1:80` or `[fd00::1]:80`. */
export function socketAddress(text: string): SocketAddress {
  const at = text.lastIndexOf(':');
  return { ip: ip(text.slice(0, at).replace(/^\[|\]$/g, '')), port: Number(text.slice(at + 1)) };
}

/** `10.0.0.0/8`; host bits stay. */
export function cidr(text: string): Cidr {
  const [address = '', length = ''] = text.split('/');
  return { bytes: ipToBytes(ip(address)), length: Number(length) };
}

function serviceAddress(text: string): ServiceAddress {
  const parts = text.split('/');
  const network = parseIp(parts[0] ?? '') === undefined ? (parts.shift() ?? '') : '';
  const [address = '', length] = parts;
  return length === undefined ? { network, ip: ip(address) } : { network, ip: ip(address), prefixLength: Number(length) };
}

function portMappings(services: NonNullable<WorkloadSpec['services']>): ReadonlyMap<ServiceKey, readonly PortMapping[]> {
  if (services instanceof Map) return services;
  const entries = Object.entries(services).map(([key, ports]): [ServiceKey, readonly PortMapping[]] => [
    key as ServiceKey,
    Object.entries(ports).map(([servicePort, targetPort]) => ({
      servicePort: Number(servicePort),
      targetPort: Number(targetPort),
    })),
  ]);
  return new Map(entries);
}

function servicePorts(ports: NonNullable<ServiceSpec['ports']>): readonly ServicePort[] {
  if (Array.isArray(ports)) return ports;
  return Object.entries(ports).map(([servicePort, targetPort]) => ({
    servicePort: Number(servicePort),
    targetPort: Number(targetPort),
    appProtocol: 'UNKNOWN',
  }));
}
