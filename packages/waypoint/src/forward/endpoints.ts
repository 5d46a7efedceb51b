/** The endpoints of a backend, from the snapshot: healthy, near enough, and with the port (l4-contract section 7.1). */
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { eligibleEndpoints } from '@clearmesh/shared/resolve/endpoint';
import type { Endpoint } from '@clearmesh/shared/resolve/endpoint';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import { remembered } from '@clearmesh/shared/lifecycle/remembered';
import type { UpstreamEndpoint } from './upstream.ts';

export type BackendPort = {
  readonly service: Service;
  readonly port: number;
  readonly protocol: UpstreamEndpoint['protocol'];
  /** Set when a pod was addressed: no other endpoint may answer. */
  readonly only?: WorkloadUid;
};

type Found = BackendPort & { readonly endpoints: readonly UpstreamEndpoint[] };

/** Of one service: its ports, by protocol; more only where callers address many of its pods by themselves. */
const maxFound = 64;

/**
 * Finds endpoints, once for each snapshot and port: every request asks, and a snapshot never changes.
 * `source` is the waypoint's own workload; nearness is judged from there.
 */
export class EndpointFinder {
  readonly #foundIn = remembered((_snapshot: Snapshot) => remembered((_service: Service): Found[] => []));

  endpoints(snapshot: Snapshot, source: Workload, asked: BackendPort): readonly UpstreamEndpoint[] {
    const { service, port, protocol, only } = asked;
    const found = this.#foundIn(snapshot)(service);
    const known = found.find((one) => one.port === port && one.protocol === protocol && one.only === only);
    if (known !== undefined) return known.endpoints;
    // The family of the service's own address is preferred, as the caller's ztunnel would.
    const ip = service.addresses[0]?.ip ?? ('0.0.0.0' as IpAddress);
    const endpoints = eligibleEndpoints(snapshot, source, service, { ip, port }, 'standard').flatMap((endpoint) =>
      only === undefined || endpoint.workload.uid === only ? endpointOf(source, endpoint, protocol) : [],
    );
    // The newest is the likeliest to be asked for again.
    found.unshift({ ...asked, endpoints });
    if (found.length > maxFound) found.length = maxFound;
    return endpoints;
  }
}

/** A workload that is known by name only, or in another network, whose addresses mean something else here, cannot be dialled. */
function endpointOf(
  source: Workload,
  { workload, targetPort, reach }: Endpoint,
  protocol: UpstreamEndpoint['protocol'],
): readonly UpstreamEndpoint[] {
  if (reach.kind !== 'address' || workload.network !== source.network) return [];
  return [
    {
      id: `${workload.uid}/${targetPort}`,
      workload: workload.uid,
      name: workload.name,
      address: { ip: reach.ip, port: targetPort },
      ...(workload.tunnelProtocol === 'HBONE' ? { identity: spiffeId(workload) } : {}),
      protocol,
    },
  ];
}
