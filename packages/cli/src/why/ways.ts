/**
 * All ways from one caller to a destination. Pure; ztunnel's own `resolveOutbound` says where a connection goes, asked
 * once for each pod that chance may take.
 *
 *   caller not in the mesh ─▶ plain, to each endpoint
 *   caller in the mesh ─▶ resolveOutbound ─┬─ refused
 *                                          ├─ plain: destination outside of the mesh
 *                                          ├─ tunnel ─▶ arrival at the pod
 *                                          ├─ two tunnels into another network, which decides
 *                                          └─ tunnel to the waypoint ─▶ layer 7 ─▶ route ─▶ tunnel ─▶ arrival at each pod
 */
import { resolveOutbound } from '@clearmesh/ztunnel/resolve/outbound';
import type { TunnelRoute } from '@clearmesh/ztunnel/resolve/route';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Workload } from '@clearmesh/shared/model/workload';
import { targetPortAt } from '@clearmesh/shared/resolve/endpoint';
import type { MeshView } from '../mesh/mesh-view.ts';
import { arrive } from './arrival.ts';
import type { Connection, Hop } from './connection.ts';
import { hasSelector } from './destination.ts';
import type { Destination } from './destination.ts';
import { tunnelHop } from './hop.ts';
import { intoOtherNetwork } from './other-network.ts';
import { enrolChange } from './party.ts';
import type { Party } from './party.ts';
import type { AskedRequest } from './question.ts';
import { refusalChanges } from './refusal.ts';
import { maxCallees } from './sender.ts';
import type { Sender } from './sender.ts';
import { throughWaypoint } from './through-waypoint.ts';
import { outside, pendingChanges, unguarded } from './unguarded.ts';

export function waysOf(view: MeshView, caller: Party, to: Destination, asked: AskedRequest): readonly Connection[] {
  const { workload } = caller;
  if (workload === undefined) return [noAddress(caller)];
  switch (caller.capture) {
    case 'pending':
      return [pending(caller)];
    case 'none':
      return to.addresses.flatMap((address) => plainWays(view, caller, workload, to, address));
    case 'captured':
    case 'own':
      return to.addresses.flatMap((address) => capturedWays(view, { party: caller, workload }, address, asked));
  }
}

function capturedWays(view: MeshView, sender: Sender, address: SocketAddress, asked: AskedRequest): readonly Connection[] {
  const { workload: source, party } = sender;
  const [ip] = source.addresses;
  if (ip === undefined) return [noAddress(party)];
  const captured = { source, client: { ip, port: 0 }, originalDestination: address };
  const found = new Map<string, Connection>();
  // Chance chooses by weight, and pods weigh the same: these draws take each of them.
  for (let draw = 0; draw < maxCallees; draw += 1) {
    const unit = (draw + 0.5) / maxCallees;
    const route = resolveOutbound(captured, view.snapshot, { unit: () => unit, hex: () => '' });
    const key = `${route.kind} ${route.destination?.uid ?? ''}`;
    if (found.has(key)) continue;
    for (const [index, way] of wayOf(view, sender, address, route, asked).entries())
      found.set(index === 0 ? key : `${key} ${index}`, way);
  }
  return [...found.values()];
}

function wayOf(
  view: MeshView,
  sender: Sender,
  address: SocketAddress,
  route: ReturnType<typeof resolveOutbound>,
  asked: AskedRequest,
): readonly Connection[] {
  const { name } = sender.party;
  switch (route.kind) {
    case 'refused': {
      const because = `ztunnel of the caller refuses: ${route.detail}`;
      const hops: readonly Hop[] = [{ from: name, to: formatSocketAddress(address), by: 'refused', detail: route.reason }];
      return [
        {
          caller: name,
          hops,
          guarded: true,
          policies: [],
          remarks: [],
          verdict: 'REFUSED',
          because,
          changes: refusalChanges(view, route),
        },
      ];
    }
    case 'nested':
      return [intoOtherNetwork(sender.party, route)];
    case 'lookup':
      if (route.next.kind === 'nested')
        return [intoOtherNetwork(sender.party, { ...route.next, ...(route.destination && { destination: route.destination }) })];
      return [outside(name, `${route.hostname}, whose address is looked up`)];
    case 'passthrough':
      return [passthrough(view, name, route.target, route.destination)];
    case 'tunnel':
      return route.via === 'waypoint' ? throughWaypoint(view, sender, address, route, asked) : [direct(view, sender, route)];
  }
}

function direct(view: MeshView, { party, workload }: Sender, route: TunnelRoute): Connection {
  const [sourceIp] = workload.addresses;
  const { destination, authority } = route;
  if (destination === undefined || sourceIp === undefined) return outside(party.name, formatSocketAddress(authority));
  const { identity } = party;
  const arrival = arrive(view, { workload: destination, sourceIp, destination: authority, identity });
  const callee = `${destination.namespace}/${destination.name}`;
  return {
    caller: party.name,
    callee,
    hops: [tunnelHop(party.name, callee, identity, route.acceptedPeers, authority)],
    guarded: true,
    remarks: [],
    ...arrival,
  };
}

/** Known, and not captured; or unknown to the mesh. */
function passthrough(view: MeshView, from: string, target: SocketAddress, destination: Workload | undefined): Connection {
  if (destination === undefined) return outside(from, formatSocketAddress(target));
  return unguarded(view, from, destination, target);
}

/** What kube-proxy does with it: an endpoint that is ready, without a word to the mesh. */
function plainWays(
  view: MeshView,
  caller: Party,
  source: Workload,
  to: Destination,
  address: SocketAddress,
): readonly Connection[] {
  const { snapshot, options } = view;
  const service = snapshot.servicesByVip(options.network, address.ip)[0];
  const direct = snapshot.workloadByIp(options.network, address.ip);
  const callees: readonly (readonly [Workload, number])[] =
    service === undefined
      ? direct === undefined
        ? []
        : [[direct, address.port]]
      : snapshot
          .endpoints(service.key)
          .filter(({ status }) => status === 'HEALTHY')
          .map((workload) => [workload, targetPortAt(service, workload, address.port) ?? 0] as const)
          .filter(([, port]) => port > 0);
  if (callees.length === 0 && (service === undefined || !hasSelector(view, service))) return [outside(caller.name, to.name)];
  if (callees.length === 0) return [nobody(caller, to)];
  return callees.slice(0, maxCallees).map(([workload, port]) => plainWay(view, caller, source, workload, port));
}

function plainWay(view: MeshView, caller: Party, source: Workload, callee: Workload, port: number): Connection {
  const [sourceIp] = source.addresses;
  const [ip] = callee.addresses;
  if (ip === undefined || sourceIp === undefined) return noAddress(caller);
  const destination = { ip, port };
  if (callee.tunnelProtocol !== 'HBONE' || callee.nativeTunnel) return unguarded(view, caller.name, callee, destination);
  const name = `${callee.namespace}/${callee.name}`;
  const hop: Hop = { from: caller.name, to: name, by: 'plain', detail: formatSocketAddress(destination) };
  return {
    caller: caller.name,
    callee: name,
    hops: [hop],
    guarded: true,
    remarks: [],
    ...arrive(view, { workload: callee, sourceIp, destination, enrol: enrolChange(caller) }),
  };
}

function nobody(caller: Party, to: Destination): Connection {
  const hops: readonly Hop[] = [{ from: caller.name, to: to.name, by: 'refused', detail: 'no endpoint' }];
  const changes = [`See why no pod of ${to.name} is ready, or what its port leads to: clearmesh describe service.`];
  return {
    caller: caller.name,
    hops,
    guarded: false,
    policies: [],
    remarks: [],
    verdict: 'REFUSED',
    because: `${to.name} has no endpoint that is ready`,
    changes,
  };
}

function noAddress({ name }: Party): Connection {
  const because = `${name} has no address yet: it does not run`;
  return {
    caller: name,
    hops: [],
    guarded: false,
    policies: [],
    remarks: [],
    verdict: 'REFUSED',
    because,
    changes: ['Wait until the pod runs; kubectl describe pod says why it does not.'],
  };
}

function pending({ name }: Party): Connection {
  const because = `${name} is on its way into the mesh: its rules are there, and ztunnel has not taken it yet, so that its traffic is refused`;
  return {
    caller: name,
    hops: [],
    guarded: true,
    policies: [],
    remarks: [],
    verdict: 'REFUSED',
    because,
    changes: pendingChanges,
  };
}
