/** Objects of the local configuration file as the model has them, with the defaults that discovery has too. */
import { emptyMatch } from '@clearmesh/shared/model/authorization';
import type { Authorization, Match, StringMatch } from '@clearmesh/shared/model/authorization';
import { parseBlock } from '@clearmesh/shared/model/address-block';
import { ipFromBytes, parseIp } from '@clearmesh/shared/model/ip-address';
import { parseSpiffeId } from '@clearmesh/shared/identity/spiffe';
import { podUid, policyKey, serviceKey } from '@clearmesh/shared/model/names';
import type { PolicyKey, ServiceKey, WorkloadUid } from '@clearmesh/shared/model/names';
import type { IpFamilies, LoadBalancing, Service, ServiceAddress } from '@clearmesh/shared/model/service';
import type { PortMapping, Workload } from '@clearmesh/shared/model/workload';
import type {
  LocalGateway,
  LocalMatch,
  LocalPolicy,
  LocalPorts,
  LocalService,
  LocalString,
  LocalWorkload,
} from './local-objects.ts';
import { gatewayAddress, parseNetworkAddress } from './network-address.ts';

/** @param ownCluster what a workload belongs to that names no cluster */
export function toWorkload(local: LocalWorkload, ownCluster: string): Workload {
  const { namespace, name = '', clusterId = ownCluster, locality = {}, applicationTunnel } = local;
  return {
    uid: local.uid === undefined ? podUid(clusterId, namespace, name) : (local.uid as WorkloadUid),
    name,
    namespace,
    addresses: local.workloadIps.map(parseIp).filter((ip) => ip !== undefined),
    hostname: local.hostname ?? '',
    network: local.network ?? '',
    tunnelProtocol: local.protocol === 'HBONE' ? 'HBONE' : 'NONE',
    nativeTunnel: local.nativeTunnel ?? false,
    trustDomain: local.trustDomain || 'cluster.local',
    serviceAccount: local.serviceAccount || 'default',
    node: local.node ?? '',
    clusterId,
    canonicalName: local.canonicalName ?? '',
    canonicalRevision: local.canonicalRevision ?? '',
    workloadType: workloadTypes[local.workloadType ?? 'deployment'],
    workloadName: local.workloadName ?? '',
    ...optionalGateway('waypoint', local.waypoint),
    ...optionalGateway('networkGateway', local.networkGateway),
    ...(applicationTunnel === undefined ? {} : { applicationTunnel: { port: 0, ...applicationTunnel } }),
    authorizationPolicies: (local.authorizationPolicies ?? []) as readonly PolicyKey[],
    services: new Map(Object.entries(local.services ?? {}).map(([key, ports]) => [key as ServiceKey, mappings(ports)])),
    status: local.status === 'Unhealthy' ? 'UNHEALTHY' : 'HEALTHY',
    locality: { region: locality.region ?? '', zone: locality.zone ?? '', subzone: locality.subzone ?? '' },
    networkMode: local.networkMode === 'HostNetwork' ? 'HOST_NETWORK' : 'STANDARD',
    capacity: local.capacity ?? 1,
  };
}

export function toService(local: LocalService): Service {
  const { namespace, hostname, name, weightedWaypoints = [], subjectAltNames = [], loadBalancer } = local;
  return {
    key: serviceKey(namespace, hostname),
    name,
    namespace,
    hostname,
    addresses: [
      ...local.vips.map(parseNetworkAddress).filter((address) => address !== undefined),
      ...(local.cidrVips ?? []).flatMap(({ network, cidr }) => blockAddress(network, cidr)),
    ],
    ports: mappings(local.ports).map((port) => ({ ...port, appProtocol: 'UNKNOWN' })),
    subjectAltNames: subjectAltNames.map(parseSpiffeId).filter((id) => id !== undefined),
    ...optionalGateway('waypoint', local.waypoint),
    weightedWaypoints: weightedWaypoints.map(({ destination, weight }) => ({ destination: gatewayAddress(destination), weight })),
    ...(loadBalancer === undefined ? {} : { loadBalancing: toLoadBalancing(loadBalancer) }),
    ipFamilies: local.ipFamilies === undefined ? 'AUTOMATIC' : families[local.ipFamilies],
    canonical: local.canonical ?? false,
    // Upstream's file has no such field: it concerns ingress gateways, which read it from their own control plane.
    ingressUseWaypoint: false,
    visibility: local.visibility === 'Namespace' ? 'NAMESPACE' : 'PUBLIC',
  };
}

export function toPolicy({ name, namespace, scope, action, rules, dryRun = false }: LocalPolicy): Authorization {
  return {
    key: policyKey(namespace, name),
    name,
    namespace,
    scope: scopes[scope],
    action: action === 'Deny' ? 'DENY' : 'ALLOW',
    rules: rules.map((clauses) => ({ clauses: clauses.map((matches) => ({ matches: matches.map(toMatch) })) })),
    dryRun,
  };
}

const workloadTypes = { deployment: 'DEPLOYMENT', cronjob: 'CRONJOB', pod: 'POD', job: 'JOB' } as const;
const scopes = { Global: 'GLOBAL', Namespace: 'NAMESPACE', WorkloadSelector: 'WORKLOAD_SELECTOR' } as const;
const families: Readonly<Record<'Dual' | 'IPv4' | 'IPv6', IpFamilies>> = { Dual: 'DUAL', IPv4: 'IPV4_ONLY', IPv6: 'IPV6_ONLY' };
const modes = { Standard: 'UNSPECIFIED', Strict: 'STRICT', Failover: 'FAILOVER', Passthrough: 'PASSTHROUGH' } as const;
const preferences = {
  Region: 'REGION',
  Zone: 'ZONE',
  Subzone: 'SUBZONE',
  Node: 'NODE',
  Cluster: 'CLUSTER',
  Network: 'NETWORK',
} as const;

function toLoadBalancing(local: NonNullable<LocalService['loadBalancer']>): LoadBalancing {
  return {
    routingPreference: local.routingPreferences.map((scope) => preferences[scope]),
    mode: modes[local.mode],
    healthPolicy: local.healthPolicy === 'AllowAll' ? 'ALLOW_ALL' : 'ONLY_HEALTHY',
  };
}

function toMatch(local: LocalMatch): Match {
  return {
    ...emptyMatch,
    namespaces: (local.namespaces ?? []).map(toStringMatch),
    notNamespaces: (local.notNamespaces ?? []).map(toStringMatch),
    principals: (local.principals ?? []).map(toStringMatch),
    notPrincipals: (local.notPrincipals ?? []).map(toStringMatch),
    sourceIps: (local.sourceIps ?? []).flatMap((text) => parseBlock(text) ?? []),
    notSourceIps: (local.notSourceIps ?? []).flatMap((text) => parseBlock(text) ?? []),
    destinationIps: (local.destinationIps ?? []).flatMap((text) => parseBlock(text) ?? []),
    notDestinationIps: (local.notDestinationIps ?? []).flatMap((text) => parseBlock(text) ?? []),
    destinationPorts: local.destinationPorts ?? [],
    notDestinationPorts: local.notDestinationPorts ?? [],
    serviceAccounts: local.serviceAccounts ?? [],
    notServiceAccounts: local.notServiceAccounts ?? [],
  };
}

function toStringMatch({ Exact, Prefix, Suffix }: LocalString): StringMatch {
  if (Exact !== undefined) return { kind: 'exact', value: Exact };
  if (Prefix !== undefined) return { kind: 'prefix', value: Prefix };
  if (Suffix !== undefined) return { kind: 'suffix', value: Suffix };
  return { kind: 'presence' };
}

function mappings(ports: LocalPorts): readonly PortMapping[] {
  return Object.entries(ports).map(([servicePort, targetPort]) => ({ servicePort: Number(servicePort), targetPort }));
}

function blockAddress(network: string, text: string): readonly ServiceAddress[] {
  const block = parseBlock(text);
  const ip = block === undefined ? undefined : ipFromBytes(block.bytes);
  if (block === undefined || ip === undefined) return [];
  return [block.length === block.bytes.length * 8 ? { network, ip } : { network, ip, prefixLength: block.length }];
}

function optionalGateway<Field extends string>(
  field: Field,
  gateway: LocalGateway | undefined,
): Partial<Record<Field, ReturnType<typeof gatewayAddress>>> {
  return gateway === undefined ? {} : ({ [field]: gatewayAddress(gateway) } as Record<Field, ReturnType<typeof gatewayAddress>>);
}
