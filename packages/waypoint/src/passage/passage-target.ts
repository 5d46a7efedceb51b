/**
 * Passage: what the gateway of a network does for callers of others (control-plane-contract section 9). It ends their
 * outer tunnel, and passes the bytes of the inner one on to whom their authority names, without a look at them.
 *
 *   CONNECT ledger.bank.svc.cluster.local:80 ─▶ passage-target (pure) ─▶ TCP to a pod, or a waypoint, port 15008 ─▶ copy
 *
 * P1  Only a service of the mesh is led to, by its hostname and a port that it declares, and only port 15008 of workloads
 *     that speak HBONE: who comes in there proves himself once more, and policy sees that identity. Nothing else of the
 *     network can be reached through here, neither an address nor plain text.
 * P2  A service behind a waypoint is led to its waypoint, ready or not at all.
 * P3  Workloads of other networks are not led to: a gateway is no way through to the next one.
 */
import type { IpAddress, SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import { serviceKey } from '@clearmesh/shared/model/names';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import { eligibleEndpoints } from '@clearmesh/shared/resolve/endpoint';
import type { Endpoint } from '@clearmesh/shared/resolve/endpoint';
import { formatGateway, waypointsOf } from '@clearmesh/shared/resolve/gateway';
import { chooseWeighted } from '@clearmesh/shared/resolve/weighted-choice';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import { parseAuthority } from '@clearmesh/shared/wire/authority';

export type PassageTarget = {
  readonly kind: 'target';
  readonly address: SocketAddress;
  readonly workload: Workload;
  readonly service: Service;
};
export type PassageRefusal = { readonly kind: 'refused'; readonly status: 400 | 503; readonly reason: string };

export type PassageContext = {
  readonly snapshot: Snapshot;
  /** The gateway's own workload: nearness is judged from there. */
  readonly own: Workload;
  readonly random: Random;
  /** Workloads that could not be reached. */
  readonly exclude?: ReadonlySet<WorkloadUid>;
};

/** The port of HBONE at pods (l4-contract section 1). */
const hbonePort = 15_008;
/** Any address of the service will do; its pods are chosen by port. */
const anyAddress = '0.0.0.0' as IpAddress;

/** Where a CONNECT leads. */
export function passageTarget(authority: string, context: PassageContext): PassageTarget | PassageRefusal {
  const parsed = parseAuthority(authority);
  if (parsed === undefined) return refused(400, 'the authority is not host:port');
  if (parsed.kind === 'ip') return refused(400, 'addresses mean nothing from another network; only hostnames of services do');
  const { hostname, port } = parsed;
  const services = context.snapshot.servicesByHostname(hostname).filter(({ visibility }) => visibility === 'PUBLIC');
  const service = services.find(({ canonical }) => canonical) ?? services[0];
  if (service === undefined) return refused(503, `no service that others may see is known by the name ${hostname}`);
  if (!service.ports.some(({ servicePort }) => servicePort === port))
    return refused(503, `service ${service.key} has no port ${port}`);
  const [waypoint] = waypointsOf(service);
  return waypoint === undefined ? toEndpoint(service, port, context) : toWaypoint(service, waypoint, context);
}

function toEndpoint(service: Service, port: number, context: PassageContext): PassageTarget | PassageRefusal {
  const found = choose(service, port, context);
  if (found === undefined)
    return refused(503, `service ${service.key} has no endpoint in this network that is ready and speaks HBONE`);
  return { kind: 'target', service, workload: found.workload, address: { ip: found.ip, port: hbonePort } };
}

/** P2. */
function toWaypoint(service: Service, gateway: GatewayAddress, context: PassageContext): PassageTarget | PassageRefusal {
  const { snapshot } = context;
  const at = serviceOfGateway(snapshot, gateway);
  const found = at === undefined ? undefined : choose(at, gateway.hboneMtlsPort, context);
  if (found === undefined) return refused(503, `waypoint ${formatGateway(gateway)} of service ${service.key} is not available`);
  // P1: whoever writes the waypoint's Service would else choose the port.
  if (found.targetPort !== hbonePort)
    return refused(
      503,
      `waypoint ${formatGateway(gateway)} of service ${service.key} takes tunnels at another port than ${hbonePort}`,
    );
  return { kind: 'target', service, workload: found.workload, address: { ip: found.ip, port: hbonePort } };
}

function serviceOfGateway(snapshot: Snapshot, gateway: GatewayAddress): Service | undefined {
  if (gateway.kind === 'hostname') return snapshot.service(serviceKey(gateway.namespace, gateway.hostname));
  return snapshot.servicesByVip(gateway.address.network, gateway.address.ip)[0];
}

type Found = Pick<Endpoint, 'workload' | 'targetPort'> & { readonly ip: IpAddress };

/** P1, P3. */
function choose(service: Service, port: number, { snapshot, own, random, exclude }: PassageContext): Found | undefined {
  const asked = { ip: service.addresses[0]?.ip ?? anyAddress, port };
  const near = eligibleEndpoints(snapshot, own, service, asked, 'standard', exclude).flatMap(
    ({ workload, targetPort, reach }): readonly Found[] => {
      const led = reach.kind === 'address' && workload.network === own.network && workload.tunnelProtocol === 'HBONE';
      return led ? [{ workload, targetPort, ip: reach.ip }] : [];
    },
  );
  return chooseWeighted(near, ({ workload }) => workload.capacity, random);
}

function refused(status: 400 | 503, reason: string): PassageRefusal {
  return { kind: 'refused', status, reason };
}
