/**
 * Who stands behind a gateway address: a waypoint's own workloads, and the identities they prove.
 * A gateway's service or workload that is not known has nobody, so that every answer fails closed.
 */
import type { SpiffeId } from '../identity/spiffe.ts';
import { spiffeId } from '../identity/spiffe.ts';
import type { GatewayAddress } from '../model/gateway-address.ts';
import type { ServiceKey } from '../model/names.ts';
import { serviceKey } from '../model/names.ts';
import type { Service } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

/** How a gateway address reads in a message. */
export function formatGateway(gateway: GatewayAddress): string {
  const place =
    gateway.kind === 'hostname' ? `${gateway.namespace}/${gateway.hostname}` : `${gateway.address.network}/${gateway.address.ip}`;
  return `${place}:${gateway.hboneMtlsPort}`;
}

/** The waypoints of a service: the plain one, then those of a canary, whatever their weight now. */
export function waypointsOf(service: Service): readonly GatewayAddress[] {
  const { waypoint, weightedWaypoints } = service;
  if (weightedWaypoints.length === 0) return waypoint === undefined ? none : [waypoint];
  const weighted = weightedWaypoints.map(({ destination }) => destination);
  return waypoint === undefined ? weighted : [waypoint, ...weighted];
}

const none: readonly GatewayAddress[] = [];

/** Whether the workload is one of the gateway's own, so that its traffic has passed the gateway already. */
export function belongsToGateway(snapshot: Snapshot, gateway: GatewayAddress, workload: Workload): boolean {
  if (gateway.kind === 'hostname') {
    const key = serviceKey(gateway.namespace, gateway.hostname);
    return (
      isEndpoint(snapshot, key, workload) || (workload.hostname === gateway.hostname && workload.namespace === gateway.namespace)
    );
  }
  const { network, ip } = gateway.address;
  if (workload.network === network && workload.addresses.includes(ip)) return true;
  return snapshot.servicesByVip(network, ip).some(({ key }) => isEndpoint(snapshot, key, workload));
}

/**
 * Whether the identity is that of one of the gateway's workloads, ready or not: one that drains still brings what it
 * took. Addresses are not asked, since they prove nothing.
 */
export function isGatewayIdentity(snapshot: Snapshot, gateway: GatewayAddress, identity: SpiffeId): boolean {
  if (gateway.kind === 'hostname') {
    return (
      hasIdentity(endpointsOf(snapshot, serviceKey(gateway.namespace, gateway.hostname)), identity) ||
      snapshot
        .workloadsByHostname(gateway.hostname)
        .some((workload) => workload.namespace === gateway.namespace && spiffeId(workload) === identity)
    );
  }
  const { network, ip } = gateway.address;
  const workload = snapshot.workloadByIp(network, ip);
  if (workload !== undefined && spiffeId(workload) === identity) return true;
  return snapshot.servicesByVip(network, ip).some(({ key }) => hasIdentity(endpointsOf(snapshot, key), identity));
}

function endpointsOf(snapshot: Snapshot, key: ServiceKey): readonly Workload[] {
  return snapshot.service(key) === undefined ? [] : snapshot.endpoints(key);
}

function hasIdentity(workloads: readonly Workload[], identity: SpiffeId): boolean {
  for (const workload of workloads) if (spiffeId(workload) === identity) return true;
  return false;
}

function isEndpoint(snapshot: Snapshot, key: ServiceKey, workload: Workload): boolean {
  return snapshot.service(key) !== undefined && workload.services.has(key);
}
