/** What stands behind an address and port (l4-contract section 7, step 4; section 7.2). */
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import { serviceByBlock, serviceByVip } from '@clearmesh/shared/resolve/address-lookup';
import { chooseEndpoint } from '@clearmesh/shared/resolve/endpoint';
import type { Endpoint, EndpointPreference, ResolutionMode } from '@clearmesh/shared/resolve/endpoint';

/** The chosen workload, and the service by which it was chosen. */
export type Upstream = Endpoint & { readonly service?: Service };

export type UpstreamLookup =
  | { readonly kind: 'found'; readonly upstream: Upstream }
  /** A service without an endpoint for this client and port. */
  | { readonly kind: 'no-endpoint'; readonly service: Service; readonly detail: string }
  | { readonly kind: 'passthrough'; readonly service: Service }
  | { readonly kind: 'unknown' };

/** What decides about an upstream, beside the address. */
export type UpstreamContext = EndpointPreference & {
  readonly snapshot: Snapshot;
  readonly source: Workload;
  readonly random: Random;
  readonly mode: ResolutionMode;
};

/**
 * A VIP first, then a workload's address, then a block of addresses. A block comes last, since a workload's own
 * address is more specific: a PASSTHROUGH block around pod addresses must not turn mTLS to those pods off.
 */
export function findUpstream(context: UpstreamContext, network: string, target: SocketAddress): UpstreamLookup {
  const { snapshot, source } = context;
  const exact = serviceByVip(snapshot, network, target.ip, source.namespace);
  if (exact !== undefined) return upstreamOfService(context, exact, target);
  const workload = snapshot.workloadByIp(network, target.ip);
  if (workload !== undefined) {
    return { kind: 'found', upstream: { workload, targetPort: target.port, reach: { kind: 'address', ip: target.ip } } };
  }
  const block = serviceByBlock(snapshot, network, target.ip, source.namespace);
  return block === undefined ? { kind: 'unknown' } : upstreamOfService(context, block, target);
}

/** One endpoint of the service for this address and service port. */
export function upstreamOfService(context: UpstreamContext, service: Service, target: SocketAddress): UpstreamLookup {
  if (service.loadBalancing?.mode === 'PASSTHROUGH') return { kind: 'passthrough', service };
  const { snapshot, source, mode, random } = context;
  const endpoint = chooseEndpoint(snapshot, source, service, target, mode, random, context);
  if (endpoint !== undefined) return { kind: 'found', upstream: { ...endpoint, service } };
  return { kind: 'no-endpoint', service, detail: whyNoEndpoint(context, service, target) };
}

/** Whose certificate may answer: the workload's own identity first, then the service's names (section 7, steps 3 and 7). */
export function acceptedPeers(workload: Workload, service: Service | undefined): readonly [SpiffeId, ...SpiffeId[]] {
  const own = spiffeId(workload);
  return [own, ...(service?.subjectAltNames ?? []).filter((name) => name !== own)];
}

function whyNoEndpoint({ snapshot, mode }: UpstreamContext, service: Service, target: SocketAddress): string {
  const at = `no healthy upstream: ${formatSocketAddress(target)}: service ${service.key}`;
  if (mode === 'standard' && !service.ports.some(({ servicePort }) => servicePort === target.port)) {
    return `${at} has no port ${target.port}; its ports are ${service.ports.map(({ servicePort }) => servicePort).join(', ') || 'none'}`;
  }
  const endpoints = snapshot.endpoints(service.key);
  const healthy = endpoints.filter(({ status }) => status === 'HEALTHY').length;
  return `${at} has ${endpoints.length} endpoints, ${healthy} of them healthy, and none of them fits its load balancing, IP families and ports`;
}
