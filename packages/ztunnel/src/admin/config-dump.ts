/**
 * The snapshot as `istioctl ztunnel-config` reads it (l4-contract section 11.3): camelCase, enums as upstream spells
 * them, VIPs as "network/ip", defaults and empty values left out where upstream leaves them out.
 */
import type { Json } from '@clearmesh/shared/admin/json-answer';
import type { Authorization, Match, StringMatch } from '@clearmesh/shared/model/authorization';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import { ipFromBytes } from '@clearmesh/shared/model/ip-address';
import type { Cidr } from '@clearmesh/shared/model/ip-address';
import type { Service } from '@clearmesh/shared/model/service';
import type { PortMapping, Workload } from '@clearmesh/shared/model/workload';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';

/** The parts of the dump that come from the control plane. */
export function dumpSnapshot(snapshot: Snapshot): { readonly [key: string]: Json } {
  return {
    workloads: [...snapshot.workloads].map(dumpWorkload),
    services: [...snapshot.services].map((service) => dumpService(service, snapshot)),
    policies: [...snapshot.policies].map(dumpPolicy),
    stagedServices: dumpStaged(snapshot),
  };
}

function dumpWorkload(workload: Workload): Json {
  const { locality, applicationTunnel, waypoint, networkGateway } = workload;
  const services = [...workload.services.keys()];
  return {
    uid: workload.uid,
    name: workload.name,
    namespace: workload.namespace,
    workloadIps: workload.addresses,
    protocol: workload.tunnelProtocol === 'HBONE' ? 'HBONE' : 'TCP',
    trustDomain: workload.trustDomain,
    serviceAccount: workload.serviceAccount,
    hostname: text(workload.hostname),
    network: text(workload.network),
    node: text(workload.node),
    clusterId: workload.clusterId,
    canonicalName: text(workload.canonicalName),
    canonicalRevision: text(workload.canonicalRevision),
    workloadName: text(workload.workloadName),
    workloadType: workload.workloadType.toLowerCase(),
    status: capitalised(workload.status),
    networkMode: workload.networkMode === 'HOST_NETWORK' ? 'HostNetwork' : 'Standard',
    capacity: workload.capacity,
    nativeTunnel: workload.nativeTunnel || undefined,
    locality: locality.region === '' && locality.zone === '' && locality.subzone === '' ? undefined : { ...locality },
    applicationTunnel: applicationTunnel && { ...applicationTunnel },
    waypoint: waypoint && dumpGateway(waypoint),
    networkGateway: networkGateway && dumpGateway(networkGateway),
    authorizationPolicies: workload.authorizationPolicies.length > 0 ? workload.authorizationPolicies : undefined,
    services: services.length > 0 ? services : undefined,
  };
}

function dumpService(service: Service, snapshot: Snapshot): Json {
  const { loadBalancing, endpointChoice, waypoint, weightedWaypoints } = service;
  const blocks = service.addresses.filter(({ prefixLength }) => prefixLength !== undefined);
  const endpoints = snapshot
    .endpoints(service.key)
    .filter(({ status }) => status === 'HEALTHY' || loadBalancing?.healthPolicy === 'ALLOW_ALL');
  return {
    name: service.name,
    namespace: service.namespace,
    hostname: service.hostname,
    vips: service.addresses.filter(({ prefixLength }) => prefixLength === undefined).map(({ network, ip }) => `${network}/${ip}`),
    cidrVips:
      blocks.length > 0 ? blocks.map(({ network, ip, prefixLength }) => ({ network, cidr: `${ip}/${prefixLength}` })) : undefined,
    ports: dumpPorts(service.ports),
    endpoints: Object.fromEntries(endpoints.map((workload) => [workload.uid, dumpEndpoint(workload, service.key)])),
    subjectAltNames: service.subjectAltNames,
    loadBalancer: loadBalancing && {
      mode: camelCase(loadBalancing.mode === 'UNSPECIFIED' ? 'STANDARD' : loadBalancing.mode),
      healthPolicy: camelCase(loadBalancing.healthPolicy),
      routingPreferences: loadBalancing.routingPreference.map(camelCase),
    },
    endpointChoice: endpointChoice && { ...endpointChoice },
    waypoint: waypoint && dumpGateway(waypoint),
    weightedWaypoints:
      weightedWaypoints.length > 0
        ? weightedWaypoints.map(({ destination, weight }) => ({ destination: dumpGateway(destination), weight }))
        : undefined,
    ipFamilies:
      service.ipFamilies === 'AUTOMATIC'
        ? undefined
        : ({ IPV4_ONLY: 'IPv4', IPV6_ONLY: 'IPv6', DUAL: 'Dual' } as const)[service.ipFamilies],
    canonical: service.canonical,
    visibility: capitalised(service.visibility),
  };
}

/** Endpoints whose service is not known yet, by service. */
function dumpStaged(snapshot: Snapshot): Json {
  const staged: Record<string, Record<string, Json>> = {};
  for (const workload of snapshot.workloads) {
    for (const key of workload.services.keys()) {
      if (snapshot.service(key) === undefined) (staged[key] ??= {})[workload.uid] = dumpEndpoint(workload, key);
    }
  }
  return staged;
}

function dumpEndpoint(workload: Workload, key: Service['key']): Json {
  return { workloadUid: workload.uid, port: dumpPorts(workload.services.get(key) ?? []), status: capitalised(workload.status) };
}

function dumpPorts(ports: readonly PortMapping[]): Json {
  return Object.fromEntries(ports.map(({ servicePort, targetPort }) => [String(servicePort), targetPort]));
}

function dumpGateway(gateway: GatewayAddress): Json {
  const destination =
    gateway.kind === 'hostname' ? `${gateway.namespace}/${gateway.hostname}` : `${gateway.address.network}/${gateway.address.ip}`;
  return { destination, hboneMtlsPort: gateway.hboneMtlsPort };
}

function dumpPolicy(policy: Authorization): Json {
  return {
    name: policy.name,
    namespace: policy.namespace,
    scope: camelCase(policy.scope),
    action: capitalised(policy.action),
    dryRun: policy.dryRun,
    rules: policy.rules.map(({ clauses }) => clauses.map(({ matches }) => matches.map(dumpMatch))),
  };
}

/** Empty lists are left out: they say nothing. */
function dumpMatch(match: Match): Json {
  const all: { readonly [key in keyof Match]: readonly Json[] } = {
    namespaces: match.namespaces.map(dumpString),
    notNamespaces: match.notNamespaces.map(dumpString),
    principals: match.principals.map(dumpString),
    notPrincipals: match.notPrincipals.map(dumpString),
    sourceIps: match.sourceIps.map(dumpCidr),
    notSourceIps: match.notSourceIps.map(dumpCidr),
    destinationIps: match.destinationIps.map(dumpCidr),
    notDestinationIps: match.notDestinationIps.map(dumpCidr),
    destinationPorts: match.destinationPorts,
    notDestinationPorts: match.notDestinationPorts,
    serviceAccounts: match.serviceAccounts,
    notServiceAccounts: match.notServiceAccounts,
  };
  return Object.fromEntries(Object.entries(all).filter(([, list]) => list.length > 0));
}

function dumpString(match: StringMatch): Json {
  return match.kind === 'presence' ? { Presence: [] } : { [capitalised(match.kind)]: match.value };
}

function dumpCidr({ bytes, length }: Cidr): Json {
  return `${ipFromBytes(bytes) ?? '?'}/${length}`;
}

function text(value: string): string | undefined {
  return value === '' ? undefined : value;
}

function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1).toLowerCase();
}

function camelCase(name: string): string {
  return name.split('_').map(capitalised).join('');
}
