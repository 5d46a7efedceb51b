/**
 * Choosing one workload behind a service (l4-contract section 7.2).
 */
import { ipFamily } from '../model/ip-address.ts';
import type { SocketAddress } from '../model/ip-address.ts';
import type { WorkloadUid } from '../model/names.ts';
import type { LoadBalancingScope, Service } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';
import type { Random } from '../lifecycle/random.ts';
import { unreachable } from '../lifecycle/unreachable.ts';
import type { IpAddress } from '../model/ip-address.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { chooseLessLoaded } from './less-loaded-choice.ts';
import { chooseWeighted } from './weighted-choice.ts';

/** `waypoint`: the service is a gateway's, whose port may exist on the workload's application tunnel only. */
export type ResolutionMode = 'standard' | 'waypoint';

/** Where the chosen workload is reached: an address, a name to look up, or only through its network's gateway. */
export type Reach =
  | { readonly kind: 'address'; readonly ip: IpAddress }
  | { readonly kind: 'hostname'; readonly hostname: string }
  | { readonly kind: 'gateway' };

export type Endpoint = { readonly workload: Workload; readonly targetPort: number; readonly reach: Reach };

/** What is known of other connections when an endpoint is chosen for one. */
export type EndpointPreference = {
  /** Workloads that shall not be chosen again. @default none */
  readonly exclude?: ReadonlySet<WorkloadUid> | undefined;
  /** Connections open to a workload, for services that ask for it. @default all alike */
  readonly loadOf?: ((uid: WorkloadUid) => number) | undefined;
};

/** The endpoint for `requested` (address and service port) as the service and `preference` want it, or `undefined` when none is eligible. */
export function chooseEndpoint(
  snapshot: Snapshot,
  source: Workload,
  service: Service,
  requested: SocketAddress,
  mode: ResolutionMode,
  random: Random,
  { exclude, loadOf }: EndpointPreference = {},
): Endpoint | undefined {
  const eligible = eligibleEndpoints(snapshot, source, service, requested, mode, exclude);
  const weightOf = ({ workload }: Endpoint): number => workload.capacity;
  return loadOf !== undefined && service.endpointChoice?.leastRequest === true
    ? chooseLessLoaded(eligible, weightOf, ({ workload }) => loadOf(workload.uid), random)
    : chooseWeighted(eligible, weightOf, random);
}

/** All endpoints that may be chosen for `requested`, after health, locality and networks. */
export function eligibleEndpoints(
  snapshot: Snapshot,
  source: Workload,
  service: Service,
  requested: SocketAddress,
  mode: ResolutionMode,
  exclude?: ReadonlySet<WorkloadUid>,
): readonly Endpoint[] {
  const eligible: Endpoint[] = [];
  for (const workload of snapshot.endpoints(service.key)) {
    if (exclude?.has(workload.uid) === true) continue;
    const endpoint = asEndpoint(source, service, workload, requested, mode);
    if (endpoint !== undefined) eligible.push(endpoint);
  }
  return balance(source, service, reachable(source, eligible));
}

/** What a service port means at one workload: its own mapping, else the service's; `undefined` when it has none. */
export function targetPortAt(service: Service, workload: Workload, servicePort: number): number | undefined {
  const mapped = workload.services.get(service.key)?.find((mapping) => mapping.servicePort === servicePort)?.targetPort ?? 0;
  if (mapped > 0) return mapped;
  const declared = service.ports.find((port) => port.servicePort === servicePort)?.targetPort ?? 0;
  return declared > 0 ? declared : undefined;
}

/** The requested address if the workload owns it, else one the service permits, of the requested family if it can. */
export function reachOf(
  source: Workload,
  workload: Workload,
  service: Service | undefined,
  requested: IpAddress,
): Reach | undefined {
  if (workload.addresses.includes(requested)) return { kind: 'address', ip: requested };
  const permitted = workload.addresses.filter((ip) => permitsFamily(service, ip));
  const ip = permitted.find((candidate) => ipFamily(candidate) === ipFamily(requested)) ?? permitted[0];
  if (ip !== undefined) return { kind: 'address', ip };
  if (workload.hostname !== '' && workload.addresses.length === 0) return { kind: 'hostname', hostname: workload.hostname };
  return workload.network !== source.network && workload.networkGateway !== undefined ? { kind: 'gateway' } : undefined;
}

function asEndpoint(
  source: Workload,
  service: Service,
  workload: Workload,
  requested: SocketAddress,
  mode: ResolutionMode,
): Endpoint | undefined {
  if (workload.capacity <= 0) return undefined;
  if (workload.status === 'UNHEALTHY' && service.loadBalancing?.healthPolicy !== 'ALLOW_ALL') return undefined;
  const declared = service.ports.some((port) => port.servicePort === requested.port);
  if (!declared && (mode === 'standard' || workload.applicationTunnel === undefined)) return undefined;
  const targetPort = targetPortAt(service, workload, requested.port) ?? tunnelPort(workload, requested.port);
  const reach = reachOf(source, workload, service, requested.ip);
  return targetPort === undefined || reach === undefined ? undefined : { workload, targetPort, reach };
}

/** Behind an application tunnel with a port of its own, any requested port is fine: the tunnel's port is used. */
function tunnelPort(workload: Workload, servicePort: number): number | undefined {
  return workload.applicationTunnel !== undefined && workload.applicationTunnel.port > 0 ? servicePort : undefined;
}

/** Endpoints of other networks only when there is no other: the way to them is a second tunnel, which may be missing. */
function reachable(source: Workload, endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const near = endpoints.filter(({ workload }) => workload.network === source.network);
  return near.length > 0 ? near : endpoints;
}

function balance(source: Workload, service: Service, endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const mode = service.loadBalancing?.mode ?? 'UNSPECIFIED';
  const scopes = service.loadBalancing?.routingPreference ?? [];
  switch (mode) {
    case 'UNSPECIFIED':
    case 'PASSTHROUGH':
      return endpoints;
    case 'STRICT':
      return endpoints.filter(({ workload }) => scopes.every((scope) => sharesScope(scope, source, workload)));
    case 'FAILOVER': {
      const ranked = endpoints.map((endpoint) => ({ endpoint, rank: rankOf(scopes, source, endpoint.workload) }));
      // A weight of 0 was sorted out before, so the best rank always has an endpoint that can be chosen.
      const best = ranked.reduce((highest, { rank }) => Math.max(highest, rank), 0);
      return ranked.filter(({ rank }) => rank === best).map(({ endpoint }) => endpoint);
    }
    default:
      return unreachable(mode);
  }
}

/**
 * Consecutive leading matches. NETWORK in first place is special: a match outweighs all that can follow, and a
 * mismatch does not end the count, so that among remote endpoints the nearer one still wins.
 */
function rankOf(scopes: readonly LoadBalancingScope[], source: Workload, workload: Workload): number {
  const byNetwork = scopes[0] === 'NETWORK';
  let rank = byNetwork && sharesScope('NETWORK', source, workload) ? scopes.length : 0;
  for (const scope of byNetwork ? scopes.slice(1) : scopes) {
    if (!sharesScope(scope, source, workload)) break;
    rank++;
  }
  return rank;
}

/** Each scope compares its own string only: zone `a` of one region equals zone `a` of another. */
function sharesScope(scope: LoadBalancingScope, source: Workload, workload: Workload): boolean {
  switch (scope) {
    case 'REGION':
      return source.locality.region === workload.locality.region;
    case 'ZONE':
      return source.locality.zone === workload.locality.zone;
    case 'SUBZONE':
      return source.locality.subzone === workload.locality.subzone;
    case 'NODE':
      return source.node === workload.node;
    case 'CLUSTER':
      return source.clusterId === workload.clusterId;
    case 'NETWORK':
      return source.network === workload.network;
    default:
      return unreachable(scope);
  }
}

/** Whether a service is reached at addresses of this family. */
export function permitsFamily(service: Service | undefined, ip: IpAddress): boolean {
  if (service?.ipFamilies === 'IPV4_ONLY') return ipFamily(ip) === 4;
  return service?.ipFamilies !== 'IPV6_ONLY' || ipFamily(ip) === 6;
}
