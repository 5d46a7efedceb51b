/** A connection by way of a waypoint: the tunnel to it, its decision, and its own tunnel to a pod. Pure. */
import { originalCaller } from '@clearmesh/ztunnel/authorise/original-caller';
import type { TunnelRoute } from '@clearmesh/ztunnel/resolve/route';
import { connectTarget } from '@clearmesh/waypoint/accept/connect-target';
import type { ConnectTarget } from '@clearmesh/waypoint/accept/connect-target';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { BoundService, WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import type { ServiceBackend } from '@clearmesh/shared/model/l7/route';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { Workload } from '@clearmesh/shared/model/workload';
import { eligibleEndpoints } from '@clearmesh/shared/resolve/endpoint';
import type { Endpoint } from '@clearmesh/shared/resolve/endpoint';
import { formatGateway } from '@clearmesh/shared/resolve/gateway';
import type { MeshView } from '../mesh/mesh-view.ts';
import { arrive } from './arrival.ts';
import type { Arrival } from './arrival.ts';
import { routingAt } from './backends.ts';
import type { Connection, Decision, Hop } from './connection.ts';
import { inTurn } from './connection.ts';
import { tunnelHop } from './hop.ts';
import { decideLayer7, protocolText } from './layer7.ts';
import type { AtWaypoint, Layer7 } from './layer7.ts';
import type { AskedRequest } from './question.ts';
import { maxCallees } from './sender.ts';
import type { Sender } from './sender.ts';
import { unguarded } from './unguarded.ts';

type AtGateway = {
  readonly sender: Sender;
  readonly waypoint: Workload;
  readonly hop: Hop;
};

export function throughWaypoint(
  view: MeshView,
  sender: Sender,
  address: SocketAddress,
  route: TunnelRoute,
  asked: AskedRequest,
): readonly Connection[] {
  const { destination: waypoint, gateway } = route;
  const { party, workload } = sender;
  const [ip] = workload.addresses;
  if (waypoint === undefined || gateway === undefined || ip === undefined) return [];
  const name = `waypoint ${waypoint.namespace}/${waypoint.name}`;
  const hop = tunnelHop(party.name, name, party.identity, route.acceptedPeers, address);
  const at: AtGateway = { sender, waypoint, hop };
  const configuration = configurationOf(view, waypoint);
  const bound = configuration === undefined ? undefined : boundTo(view, configuration, address);
  if (configuration === undefined || bound === undefined) {
    const because = `${name} is asked for ${formatSocketAddress(address)}, and takes nothing there (${formatGateway(gateway)})`;
    return [
      ended(at, { verdict: 'REFUSED', because, changes: ['See which Services the waypoint takes: clearmesh waypoint status.'] }),
    ];
  }
  if (bound.kind === 'refused') {
    const changes = ['Call a port that the Service declares.'];
    return [ended(at, { verdict: 'REFUSED', because: `${name} refuses: ${bound.reason}`, changes })];
  }
  const entering: AtWaypoint = {
    configuration,
    bound: bound.service,
    target: bound.target,
    identity: party.identity,
    client: { ip, port: 0 },
    asked,
  };
  return afterLayer7(view, at, entering);
}

function afterLayer7(view: MeshView, at: AtGateway, entering: AtWaypoint): readonly Connection[] {
  const layer7 = decideLayer7(entering);
  const remarks = remarksOf(entering);
  if (layer7.verdict === 'REFUSED') return [ended(at, layer7, remarks)];
  const routing = routingAt(entering);
  if (routing.kind === 'answered') return [ended(at, { ...inTurn([layer7, routing]), policies: layer7.policies }, remarks)];
  const said = routing.remark === undefined ? remarks : [...remarks, routing.remark];
  return routing.backends.flatMap((backend) => toBackend(view, at, entering, layer7, backend, said));
}

function toBackend(
  view: MeshView,
  at: AtGateway,
  entering: AtWaypoint,
  layer7: Layer7,
  { service: key, port }: ServiceBackend,
  remarks: readonly string[],
): readonly Connection[] {
  const { waypoint } = at;
  const service = view.snapshot.service(key);
  const [vip] = service?.addresses ?? [];
  const ip = vip?.ip ?? entering.target.called.address.ip;
  const { workload: pod } = entering.target;
  const endpoints = service === undefined ? [] : eligibleEndpoints(view.snapshot, waypoint, service, { ip, port }, 'standard');
  const meant = pod === undefined ? endpoints : endpoints.filter(({ workload }) => workload.uid === pod.uid);
  if (meant.length === 0) {
    const changes = ['See why no pod of the Service is ready: clearmesh describe service.'];
    return [
      ended(
        at,
        {
          verdict: 'REFUSED',
          because: `${key} has no endpoint that is ready for port ${port}`,
          changes,
          policies: layer7.policies,
        },
        remarks,
      ),
    ];
  }
  return meant.slice(0, maxCallees).map((endpoint) => toPod(view, at, layer7, endpoint, remarks));
}

function toPod(
  view: MeshView,
  at: AtGateway,
  layer7: Layer7,
  { workload, targetPort, reach }: Endpoint,
  remarks: readonly string[],
): Connection {
  const { waypoint, sender, hop } = at;
  const from = hop.to;
  const name = sender.party.name;
  const [waypointIp] = waypoint.addresses;
  if (reach.kind !== 'address' || waypointIp === undefined) return ended(at, layer7, remarks);
  const destination = { ip: reach.ip, port: targetPort };
  if (workload.tunnelProtocol !== 'HBONE') {
    const open = unguarded(view, from, workload, destination);
    return {
      ...open,
      caller: name,
      hops: [hop, ...open.hops],
      guarded: true,
      policies: layer7.policies,
      remarks,
      ...inTurn([layer7, open]),
    };
  }
  const peer = spiffeId(waypoint);
  const claim = originalCaller({ header: sender.party.identity, peer, workload }, view.snapshot);
  const caller = claim.kind === 'believed' ? { caller: claim.caller } : {};
  const arrival: Arrival = arrive(view, { workload, sourceIp: waypointIp, destination, identity: peer, ...caller });
  const callee = `${workload.namespace}/${workload.name}`;
  const second = tunnelHop(from, callee, peer, [spiffeId(workload)], destination);
  return {
    caller: name,
    callee,
    hops: [hop, claim.kind === 'believed' ? { ...second, detail: `${second.detail ?? ''}, on behalf of the caller` } : second],
    guarded: true,
    policies: [...layer7.policies, ...arrival.policies],
    mtls: arrival.mtls,
    remarks,
    ...inTurn([layer7, arrival]),
  };
}

/** The way ends at the waypoint. */
function ended({ sender, hop }: AtGateway, decision: Decision & Partial<Layer7>, remarks: readonly string[] = []): Connection {
  const { verdict, because, changes, policies = [] } = decision;
  return { caller: sender.party.name, hops: [hop], guarded: true, policies, remarks, verdict, because, changes };
}

/** Of the Gateway whose pod it is. */
function configurationOf({ model, pods }: MeshView, waypoint: Workload): WaypointConfiguration | undefined {
  const gateway = pods.get(waypoint.uid)?.metadata.labels?.['gateway.networking.k8s.io/gateway-name'];
  return model.waypoints.find(({ namespace, name }) => namespace === waypoint.namespace && name === gateway);
}

type Bound =
  | { readonly kind: 'target'; readonly target: ConnectTarget; readonly service: BoundService }
  | { readonly kind: 'refused'; readonly reason: string };

function boundTo(
  { snapshot, options }: MeshView,
  configuration: WaypointConfiguration,
  address: SocketAddress,
): Bound | undefined {
  const service = (key: string): BoundService | undefined => configuration.services.find((each) => each.key === key);
  const isBoundWorkload = (uid: string): boolean => configuration.workloads.includes(uid);
  const target = connectTarget(formatSocketAddress(address), snapshot, { service, isBoundWorkload }, options.network);
  if (target.kind === 'refused') return target;
  const found = service(target.called.key);
  return found === undefined ? undefined : { kind: 'target', target, service: found };
}

/** What else the waypoint does to such a request. */
function remarksOf({ bound, target }: AtWaypoint): readonly string[] {
  const list = (what: string, keys: readonly string[]): readonly string[] =>
    keys.length === 0 ? [] : [`${what}: ${keys.join(', ')}`];
  return [
    `protocol at the waypoint: ${protocolText(target)}`,
    ...list('a token, where there is one, must hold', bound.jwt),
    ...list('limited by', bound.rateLimits),
    ...list('deadlines, retries and idempotency', bound.resilience === undefined ? [] : [bound.resilience]),
    ...list('faults are injected by', bound.faults),
  ];
}
