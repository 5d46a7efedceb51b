/**
 * Which waypoint a service or workload requires, and where a gateway is: a waypoint, or that of a network (l4-contract
 * section 7, steps 3, 5 and 6).
 */
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import { serviceKey } from '@clearmesh/shared/model/names';
import type { Service } from '@clearmesh/shared/model/service';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import { reachOf } from '@clearmesh/shared/resolve/endpoint';
import { formatGateway } from '@clearmesh/shared/resolve/gateway';
import { findUpstream, upstreamOfService } from './upstream.ts';
import type { Upstream, UpstreamContext, UpstreamLookup } from './upstream.ts';
import { chooseWeighted } from '@clearmesh/shared/resolve/weighted-choice';

export type GatewayLookup =
  | { readonly kind: 'found'; readonly upstream: Upstream }
  | { readonly kind: 'unavailable'; readonly detail: string };

/** How messages call it. */
type GatewayRole = 'waypoint' | 'network gateway';

export function requiresWaypoint(service: Service): boolean {
  return service.waypoint !== undefined || service.weightedWaypoints.length > 0;
}

/** The gateway for one connection: by weight during a canary, else the plain one; `undefined` when every weight is 0. */
export function chooseGateway(service: Service, random: Random): GatewayAddress | undefined {
  return chooseWeighted(service.weightedWaypoints, ({ weight }) => weight, random)?.destination ?? service.waypoint;
}

/** A workload of the gateway that is ready to be dialled. `preferIp` tells the preferred family of its address. */
export function resolveGateway(
  context: Omit<UpstreamContext, 'mode'>,
  gateway: GatewayAddress,
  preferIp: IpAddress,
  role: GatewayRole = 'waypoint',
): GatewayLookup {
  const unavailable = (why: string): GatewayLookup => ({
    kind: 'unavailable',
    detail: `${role} ${formatGateway(gateway)} is not available: ${why}`,
  });
  if (gateway.hboneMtlsPort === 0) return unavailable('it names no port');
  const found = lookUp({ ...context, mode: 'waypoint' }, gateway, preferIp);
  switch (found.kind) {
    case 'found':
      // A service leaves them out already.
      if (context.exclude?.has(found.upstream.workload.uid) === true) {
        return unavailable(`workload ${found.upstream.workload.uid} was tried already`);
      }
      // A gateway that is not ready is none (design decision 1); services have left such endpoints out already.
      if (found.upstream.service === undefined && found.upstream.workload.status === 'UNHEALTHY') {
        return unavailable(`workload ${found.upstream.workload.uid} is not ready`);
      }
      return found;
    case 'no-endpoint':
      return unavailable(found.detail);
    case 'passthrough':
      return unavailable(`service ${found.service.key} passes connections through and selects no workload`);
    case 'unknown':
      return unavailable('no workload or service is known there');
  }
}

function lookUp(context: UpstreamContext, gateway: GatewayAddress, preferIp: IpAddress): UpstreamLookup {
  const port = gateway.hboneMtlsPort;
  if (gateway.kind === 'address') return findUpstream(context, gateway.address.network, { ip: gateway.address.ip, port });
  const service = context.snapshot.service(serviceKey(gateway.namespace, gateway.hostname));
  if (service !== undefined) return upstreamOfService(context, service, { ip: preferIp, port });
  const workload = context.snapshot
    .workloadsByHostname(gateway.hostname)
    .find(({ namespace }) => namespace === gateway.namespace);
  const reach = workload && reachOf(context.source, workload, undefined, preferIp);
  return workload === undefined || reach === undefined
    ? { kind: 'unknown' }
    : { kind: 'found', upstream: { workload, targetPort: port, reach } };
}
