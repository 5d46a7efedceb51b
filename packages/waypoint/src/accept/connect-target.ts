/**
 * Accept: from a CONNECT of a proven peer to requests of one caller for one service.
 *
 *   HBONE ─▶ connect-target (pure) ─▶ sniff ─┬─ HTTP/1.1, HTTP/2 ─▶ http-front ─▶ path/exchange
 *                                            └─ anything else ────▶ path/opaque
 *
 * A1  The CONNECT authority decides what is called; Host header and `:authority` inside never do (contract section 4.3).
 * A2  Only what is bound to this waypoint is let in; everything else, the waypoint's own ports included, is refused
 *     (contract section 4.1). 421 tells a caller's proxy that the way through here is none (RFC 9110 section 15.5.20).
 */
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { BoundService } from '@clearmesh/shared/model/l7/configuration';
import type { AppProtocol, Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { targetPortAt } from '@clearmesh/shared/resolve/endpoint';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import { parseAuthority } from '@clearmesh/shared/wire/authority';
import type { CalledService } from '../exchange/request-facts.ts';

/** What this waypoint stands before. */
export interface Bindings {
  service(key: string): BoundService | undefined;
  /** Bound by its own address. */
  isBoundWorkload(uid: string): boolean;
}

export type ConnectTarget = {
  readonly kind: 'target';
  readonly called: CalledService;
  readonly protocol: AppProtocol;
  /** Set when a pod was addressed: no other endpoint may answer. */
  readonly workload?: Workload;
};

export type ConnectRefusal = { readonly kind: 'refused'; readonly status: 400 | 421 | 503; readonly reason: string };

/** What a CONNECT may reach. `network` is the waypoint's own. */
export function connectTarget(
  authority: string,
  snapshot: Snapshot,
  bindings: Bindings,
  network: string,
): ConnectTarget | ConnectRefusal {
  const parsed = parseAuthority(authority);
  if (parsed === undefined) return refused(400, 'the authority is not host:port');
  if (parsed.kind === 'hostname') return toName(parsed.hostname, parsed.port, snapshot, bindings, network);
  const { address } = parsed;
  const service = snapshot.servicesByVip(network, address.ip).find(({ key }) => bindings.service(key) !== undefined);
  if (service !== undefined) return toService(service, address, bindings);
  const workload = snapshot.workloadByIp(network, address.ip);
  if (workload !== undefined && bindings.isBoundWorkload(workload.uid)) return toWorkload(workload, address, snapshot, bindings);
  return refused(421, `${formatSocketAddress(address)} is not behind this waypoint`);
}

/** As callers of other networks ask; the address is that by which callers of this one would. */
function toName(
  hostname: string,
  port: number,
  snapshot: Snapshot,
  bindings: Bindings,
  network: string,
): ConnectTarget | ConnectRefusal {
  const service = snapshot.servicesByHostname(hostname).find(({ key }) => bindings.service(key) !== undefined);
  if (service === undefined) return refused(421, `${hostname} is not behind this waypoint`);
  const vips = service.addresses.filter(({ prefixLength }) => prefixLength === undefined);
  const vip = vips.find((address) => address.network === network) ?? vips[0];
  if (vip === undefined) return refused(503, `service ${service.key} has no address, and is not reached by its name`);
  return toService(service, { ip: vip.ip, port }, bindings);
}

function toService(service: Service, address: SocketAddress, bindings: Bindings): ConnectTarget | ConnectRefusal {
  const port = bindings.service(service.key)?.ports.find((declared) => declared.port === address.port);
  if (port === undefined) return refused(503, `service ${service.key} declares no port ${address.port}`);
  return { kind: 'target', called: calledService(service, address.port, address), protocol: port.protocol };
}

/** A pod that was addressed itself is called as a member of the service that has this port, so that its policies hold. */
function toWorkload(
  workload: Workload,
  address: SocketAddress,
  snapshot: Snapshot,
  bindings: Bindings,
): ConnectTarget | ConnectRefusal {
  for (const key of workload.services.keys()) {
    const service = snapshot.service(key);
    const bound = bindings.service(key);
    if (service === undefined || bound === undefined) continue;
    const port = bound.ports.find((declared) => targetPortAt(service, workload, declared.port) === address.port);
    if (port !== undefined) {
      return { kind: 'target', called: calledService(service, port.port, address), protocol: port.protocol, workload };
    }
  }
  return refused(503, `port ${address.port} of ${workload.uid} belongs to no service behind this waypoint`);
}

function calledService({ key, hostname, namespace }: Service, port: number, address: SocketAddress): CalledService {
  return { key, hostname, namespace, port, address };
}

function refused(status: 400 | 421 | 503, reason: string): ConnectRefusal {
  return { kind: 'refused', status, reason };
}
