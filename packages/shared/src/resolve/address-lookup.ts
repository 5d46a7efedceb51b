/** Which service an address means to a client (l4-contract section 7.1). */
import type { IpAddress } from '../model/ip-address.ts';
import type { Service } from '../model/service.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

/** The service with exactly this VIP: visible ones only, then the client's namespace, then canonical, then the first. */
export function serviceByVip(snapshot: Snapshot, network: string, ip: IpAddress, clientNamespace: string): Service | undefined {
  return preferred(
    snapshot.servicesByVip(network, ip).filter((service) => isVisible(service, clientNamespace)),
    clientNamespace,
  );
}

/** The service whose block holds the address: the client's namespace, then the longest prefix, then canonical. */
export function serviceByBlock(snapshot: Snapshot, network: string, ip: IpAddress, clientNamespace: string): Service | undefined {
  const visible = snapshot.servicesByCidr(network, ip).filter(({ service }) => isVisible(service, clientNamespace));
  const own = visible.filter(({ service }) => service.namespace === clientNamespace);
  const candidates = own.length > 0 ? own : visible;
  const longest = candidates.filter(({ prefixLength }) => prefixLength === candidates[0]?.prefixLength);
  return preferred(
    longest.map(({ service }) => service),
    clientNamespace,
  );
}

/** The service of a hostname: the client's namespace, then canonical, then the first. */
export function serviceByHostname(snapshot: Snapshot, hostname: string, clientNamespace: string): Service | undefined {
  return preferred(snapshot.servicesByHostname(hostname), clientNamespace);
}

/** Whether the mesh shows a service to clients of a namespace. */
export function isVisible(service: Service, clientNamespace: string): boolean {
  return service.visibility === 'PUBLIC' || service.namespace === clientNamespace;
}

function preferred(services: readonly Service[], clientNamespace: string): Service | undefined {
  return (
    services.find(({ namespace }) => namespace === clientNamespace) ?? services.find(({ canonical }) => canonical) ?? services[0]
  );
}
