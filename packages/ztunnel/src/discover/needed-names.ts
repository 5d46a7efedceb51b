/**
 * The names that a decision depends on, as far as the mesh is known by now. Pure: whoever has learnt more asks again, until nothing
 * is named that was not answered. What a decision reads has to be named here, or it would take "not asked" for "not there".
 *
 *   outbound   the address; the waypoints of its services and workload; gateways to other networks
 *   inbound    the services of the own workload, its waypoint and theirs: they say who may come
 */
import { parseIp } from '@clearmesh/shared/model/ip-address';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import { serviceKey } from '@clearmesh/shared/model/names';
import type { ServiceKey, WorkloadUid } from '@clearmesh/shared/model/names';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { waypointsOf } from '@clearmesh/shared/resolve/gateway';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';

/** By which whatever has an address is asked for (l4-contract section 3.2). */
export function addressName(network: string, ip: IpAddress): string {
  return `${network}/${ip}`;
}

/** For a connection of `source` to an address. */
export function destinationNames(snapshot: Snapshot, source: Workload, ip: IpAddress): ReadonlySet<string> {
  const names = new Set([addressName(source.network, ip)]);
  const addressed = standingAt(snapshot, source.network, ip);
  for (const gateway of addressed.flatMap(gatewaysOf)) {
    names.add(gatewayName(gateway));
    for (const behind of behindGateway(snapshot, gateway)) addNetworkGateways(names, snapshot, source, behind);
  }
  for (const resource of addressed) addNetworkGateways(names, snapshot, source, resource);
  return names;
}

/** For connections to the workload itself. */
export function ownNames(snapshot: Snapshot, workload: Workload): ReadonlySet<string> {
  const names = new Set<string>(workload.services.keys());
  for (const gateway of gatewaysOf(workload)) names.add(gatewayName(gateway));
  for (const key of workload.services.keys()) {
    const service = snapshot.service(key);
    for (const gateway of service === undefined ? [] : gatewaysOf(service)) names.add(gatewayName(gateway));
  }
  return names;
}

/** What a resource that just came makes worth asking for: a waypoint that is added has to be known before the next connection. */
export function followingNames(snapshot: Snapshot, resource: string): readonly string[] {
  const found = snapshot.workload(resource as WorkloadUid) ?? snapshot.service(resource as ServiceKey);
  return found === undefined ? [] : gatewaysOf(found).map(gatewayName);
}

/** Whether anything of that name is there. */
export function isKnown(snapshot: Snapshot, name: string): boolean {
  if (snapshot.workload(name as WorkloadUid) !== undefined || snapshot.service(name as ServiceKey) !== undefined) return true;
  const slash = name.lastIndexOf('/');
  const [before, last] = [name.slice(0, slash), name.slice(slash + 1)];
  const ip = parseIp(last);
  return ip === undefined
    ? snapshot.workloadsByHostname(last).some(({ namespace }) => namespace === before)
    : standingAt(snapshot, before, ip).length > 0;
}

function standingAt(snapshot: Snapshot, network: string, ip: IpAddress): readonly (Service | Workload)[] {
  const workload = snapshot.workloadByIp(network, ip);
  return [
    ...snapshot.servicesByVip(network, ip),
    ...snapshot.servicesByCidr(network, ip).map(({ service }) => service),
    ...(workload === undefined ? [] : [workload]),
  ];
}

function gatewaysOf(resource: Service | Workload): readonly GatewayAddress[] {
  if (isService(resource)) return waypointsOf(resource);
  return resource.waypoint === undefined ? [] : [resource.waypoint];
}

function gatewayName(gateway: GatewayAddress): string {
  return gateway.kind === 'hostname'
    ? serviceKey(gateway.namespace, gateway.hostname)
    : addressName(gateway.address.network, gateway.address.ip);
}

function behindGateway(snapshot: Snapshot, gateway: GatewayAddress): readonly (Service | Workload)[] {
  if (gateway.kind === 'address') return standingAt(snapshot, gateway.address.network, gateway.address.ip);
  const service = snapshot.service(serviceKey(gateway.namespace, gateway.hostname));
  return service === undefined ? snapshot.workloadsByHostname(gateway.hostname) : [service];
}

function addNetworkGateways(names: Set<string>, snapshot: Snapshot, source: Workload, resource: Service | Workload): void {
  for (const { network, networkGateway } of isService(resource) ? snapshot.endpoints(resource.key) : [resource]) {
    if (network !== source.network && networkGateway !== undefined) names.add(gatewayName(networkGateway));
  }
}

function isService(resource: Service | Workload): resource is Service {
  return 'key' in resource;
}
