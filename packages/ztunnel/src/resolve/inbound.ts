/**
 * What an incoming CONNECT or a captured plaintext connection may reach (l4-contract sections 8.1 steps 2 and 4–7, 8.2).
 *
 * I1  The target's IP is always the address that accepted the connection; the peer chooses a port at most.
 * I2  A port of the proxy itself is never a target, not after port resolution and not after a tunnel's override.
 */
import { formatSocketAddress, ipFamily } from '@clearmesh/shared/model/ip-address';
import type { IpAddress, SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { Authority } from '@clearmesh/shared/wire/authority';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import { serviceByHostname, serviceByVip } from '@clearmesh/shared/resolve/address-lookup';
import { targetPortAt } from '@clearmesh/shared/resolve/endpoint';
import { belongsToGateway, waypointsOf } from '@clearmesh/shared/resolve/gateway';
import { isIllegalPort } from './illegal-ports.ts';
import type { OwnPorts } from './illegal-ports.ts';

export type IncomingFacts = {
  /** The parsed `:authority`; `undefined` when it was not parsable. */
  readonly authority: Authority | undefined;
  /** The pod's own address that accepted the connection. */
  readonly accepted: SocketAddress;
  readonly workload: Workload;
  /** `host` of the Forwarded header; telemetry only. */
  readonly forwardedHost?: string;
};

export type InboundOptions = OwnPorts & {
  /** A PROXY tunnel is reached over loopback, so that the application may listen there only. @default true */
  readonly localhostAppTunnel?: boolean;
  /** The only ports that may be reached. @default all but the proxy's */
  readonly admittedPorts?: ReadonlySet<number>;
};

export type InboundTarget = {
  readonly kind: 'target';
  /** What policy sees and the pod receives. */
  readonly address: SocketAddress;
  /** Start with a PROXY header (section 2.7) whose destination is `proxyDestination`. */
  readonly proxyProtocol: boolean;
  readonly proxyDestination?: SocketAddress;
  /** Connect from loopback to loopback at the address's port. */
  readonly localhost: boolean;
  /** The service addressed; telemetry only. */
  readonly service?: Service;
};

export type InboundRejected = { readonly kind: 'rejected'; readonly status: 400 | 503; readonly reason: string };

/** Where a CONNECT goes, or the status it is refused with. */
export function resolveInbound(
  incoming: IncomingFacts,
  snapshot: Snapshot,
  options: InboundOptions = {},
): InboundTarget | InboundRejected {
  const { authority, accepted, workload } = incoming;
  if (authority === undefined) return rejected(400, 'the authority is not host:port');
  if (authority.kind === 'ip' && !mayAddress(snapshot, workload, accepted.ip, authority.address.ip)) {
    return rejected(
      400,
      `ip mismatch: the authority is ${formatSocketAddress(authority.address)}, and ${accepted.ip} accepted it`,
    );
  }
  const resolved = resolvePort(incoming, authority, snapshot);
  if (resolved.kind === 'rejected') return resolved;
  const tunnel = workload.applicationTunnel;
  const port = tunnel !== undefined && tunnel.port > 0 ? tunnel.port : resolved.port;
  if (resolved.port === 0 || isIllegalPort(resolved.port, options) || isIllegalPort(port, options)) {
    return rejected(503, `port ${isIllegalPort(port, options) ? port : resolved.port} is never a target`);
  }
  if (options.admittedPorts?.has(port) === false) return rejected(503, `port ${port} is not open to tunnels here`);
  const facts = { address: { ip: accepted.ip, port }, ...(resolved.service === undefined ? {} : { service: resolved.service }) };
  if (tunnel?.protocol !== 'PROXY') return { kind: 'target', proxyProtocol: false, localhost: false, ...facts };
  const proxyDestination = authority.kind === 'ip' ? authority.address : proxyAddress(resolved.service, workload, authority.port);
  if (proxyDestination === undefined)
    return rejected(
      503,
      `service ${authority.kind === 'hostname' ? authority.hostname : ''} has no VIP to name in a PROXY header`,
    );
  return { kind: 'target', proxyProtocol: true, proxyDestination, localhost: options.localhostAppTunnel ?? true, ...facts };
}

/** Where captured plaintext goes: the original destination, unless it is a port of the proxy. */
export function resolvePlaintext(
  destination: SocketAddress,
  workload: Workload,
  snapshot: Snapshot,
  own: OwnPorts = {},
): InboundTarget | InboundRejected {
  if (destination.port === 0 || isIllegalPort(destination.port, own))
    return rejected(503, `port ${destination.port} is never a target`);
  const service = serviceAtPort(snapshot, workload, destination.port);
  return {
    kind: 'target',
    address: destination,
    proxyProtocol: false,
    localhost: false,
    ...(service === undefined ? {} : { service }),
  };
}

/** Step 4: the accepted address itself, anything for a tunnel's workload, or what has this workload as its waypoint. */
function mayAddress(snapshot: Snapshot, workload: Workload, accepted: IpAddress, asked: IpAddress): boolean {
  if (asked === accepted || workload.applicationTunnel !== undefined) return true;
  return waypointsAt(snapshot, workload, asked).some((gateway) => belongsToGateway(snapshot, gateway, workload));
}

function waypointsAt(snapshot: Snapshot, workload: Workload, asked: IpAddress): readonly GatewayAddress[] {
  const addressed = snapshot.workloadByIp(workload.network, asked);
  // Both are asked, since the sender may have meant the service although a workload has the same address.
  const service =
    serviceByVip(snapshot, workload.network, asked, workload.namespace) ?? snapshot.servicesByVip(workload.network, asked)[0];
  const services = service === undefined ? [] : waypointsOf(service);
  return addressed?.waypoint === undefined ? services : [addressed.waypoint, ...services];
}

type ResolvedPort = { readonly kind: 'port'; readonly port: number; readonly service?: Service };

/** Step 5: the port asked for; for a hostname, what the service's port means at this workload. */
function resolvePort(incoming: IncomingFacts, authority: Authority, snapshot: Snapshot): ResolvedPort | InboundRejected {
  const { workload } = incoming;
  if (authority.kind === 'ip')
    return withService(authority.address.port, telemetryService(incoming, snapshot, authority.address.port));
  const { hostname, port } = authority;
  const service = serviceByHostname(snapshot, hostname, workload.namespace);
  if (service !== undefined) {
    // A tunnel with a port of its own takes any port of the service; the PROXY header tells it which.
    const target =
      targetPortAt(service, workload, port) ?? (ownTunnelPort(workload) && declares(service, port) ? port : undefined);
    return target === undefined
      ? rejected(503, `service ${service.key} has no port ${port} that workload ${workload.uid} can resolve`)
      : withService(target, service);
  }
  return snapshot.workloadsByHostname(hostname).length > 0
    ? { kind: 'port', port }
    : rejected(503, `no service or workload is known by the name ${hostname}`);
}

function ownTunnelPort(workload: Workload): boolean {
  return workload.applicationTunnel !== undefined && workload.applicationTunnel.port > 0;
}

function declares(service: Service, port: number): boolean {
  return service.ports.some(({ servicePort }) => servicePort === port);
}

/** Section 8.1, last notes: the service that Forwarded names, if it is one of the workload's, else the first that fits the port. */
function telemetryService({ workload, forwardedHost }: IncomingFacts, snapshot: Snapshot, port: number): Service | undefined {
  const named =
    forwardedHost === undefined ? undefined : servicesOf(snapshot, workload).find(({ hostname }) => hostname === forwardedHost);
  return named ?? serviceAtPort(snapshot, workload, port);
}

function serviceAtPort(snapshot: Snapshot, workload: Workload, port: number): Service | undefined {
  return servicesOf(snapshot, workload).find((service) =>
    service.ports.some(({ servicePort }) => targetPortAt(service, workload, servicePort) === port),
  );
}

function servicesOf(snapshot: Snapshot, workload: Workload): readonly Service[] {
  return [...workload.services.keys()].map((key) => snapshot.service(key)).filter((service) => service !== undefined);
}

/** Section 2.7: a VIP of the service, of the own network and of IPv4 first, with the service port. */
function proxyAddress(service: Service | undefined, workload: Workload, port: number): SocketAddress | undefined {
  const vips = (service?.addresses ?? []).filter(({ prefixLength }) => prefixLength === undefined);
  const own = vips.filter(({ network }) => network === workload.network);
  const candidates = own.length > 0 ? own : vips;
  const ip = (candidates.find((vip) => ipFamily(vip.ip) === 4) ?? candidates[0])?.ip;
  return ip === undefined ? undefined : { ip, port };
}

function withService(port: number, service: Service | undefined): ResolvedPort {
  return { kind: 'port', port, ...(service === undefined ? {} : { service }) };
}

function rejected(status: 400 | 503, reason: string): InboundRejected {
  return { kind: 'rejected', status, reason };
}
