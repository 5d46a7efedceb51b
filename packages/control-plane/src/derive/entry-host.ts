/**
 * The hosts of ServiceEntries as services (control-plane-contract section 2.4).
 *
 * H1  A host is one service a namespace: a Service of the cluster comes before an entry, an older entry before a younger.
 * H2  Of several namespaces all are told; one is canonical: the Service, else the oldest entry that everybody may see.
 */
import { ipFromBytes } from '@clearmesh/shared/model/ip-address';
import { parseSpiffeId } from '@clearmesh/shared/identity/spiffe';
import { serviceKey } from '@clearmesh/shared/model/names';
import type { ServiceKey } from '@clearmesh/shared/model/names';
import type { LoadBalancing, Service, ServiceAddress } from '@clearmesh/shared/model/service';
import { parseBlock } from '@clearmesh/shared/model/address-block';
import { byAge } from './l7/age.ts';
import { entryProtocol } from './l7/destination.ts';
import type { HostAddress, ServiceEntryManifest } from '../manifest/service-entry.ts';
import { endpointChoiceOf } from './endpoint-choice.ts';
import { objectKey } from './l7/object-key.ts';
import type { Note } from './mesh-model.ts';
import type { DeriveOptions } from './options.ts';

export type EntryHost = {
  readonly entry: ServiceEntryManifest;
  readonly host: string;
  readonly key: ServiceKey;
  readonly canonical: boolean;
};

export type EntryVisibility = 'PUBLIC' | 'NAMESPACE' | 'NONE';

/** Who may see the hosts of an entry; a list of other namespaces counts as everybody, as upstream. */
export function visibilityOf({ metadata, spec }: ServiceEntryManifest): EntryVisibility {
  const { exportTo = [] } = spec;
  if (exportTo.length === 0) return 'PUBLIC';
  if (exportTo.every((name) => name === '~')) return 'NONE';
  return exportTo.every((name) => name === '.' || name === '~' || name === metadata.namespace) ? 'NAMESPACE' : 'PUBLIC';
}

/** H1, H2; the oldest first. */
export function entryHosts(entries: readonly ServiceEntryManifest[], services: readonly Service[]): readonly EntryHost[] {
  const taken = new Set<ServiceKey>(services.map(({ key }) => key));
  const canonical = new Set(services.map(({ hostname }) => hostname));
  const visible = entries.filter((entry) => visibilityOf(entry) !== 'NONE').sort(byAge);
  return visible.flatMap((entry) => {
    const isPublic = visibilityOf(entry) === 'PUBLIC';
    return entry.spec.hosts.flatMap((host): readonly EntryHost[] => {
      const key = serviceKey(entry.metadata.namespace, host);
      if (taken.has(key)) return [];
      taken.add(key);
      const first = isPublic && !canonical.has(host);
      if (first) canonical.add(host);
      return [{ entry, host, key, canonical: first }];
    });
  });
}

/** What an author should know: a host that another object has already is not served from here. */
export function contestedHosts(entries: readonly ServiceEntryManifest[], hosts: readonly EntryHost[]): readonly Note[] {
  const owners = new Map(hosts.map(({ key, entry }) => [key, entry]));
  return entries.flatMap((entry) => {
    if (visibilityOf(entry) === 'NONE') return [];
    return entry.spec.hosts.flatMap((host): readonly Note[] => {
      const owner = owners.get(serviceKey(entry.metadata.namespace, host));
      if (owner === entry) return [];
      const whose = owner === undefined ? 'a Service' : objectKey('ServiceEntry', owner);
      const message = `host ${host} is that of ${whose}, so that this entry is not asked for it`;
      return [{ object: objectKey('ServiceEntry', entry), message }];
    });
  });
}

/** @param automatic addresses of the entry that nobody wrote */
export function deriveEntryHost(
  { entry, host, key, canonical }: EntryHost,
  automatic: readonly HostAddress[],
  options: DeriveOptions,
): Service {
  const { addresses = [], ports = [], resolution = 'NONE', subjectAltNames = [] } = entry.spec;
  const endpointChoice = endpointChoiceOf(entry);
  const own = automatic.filter((address) => address.host === host).map(({ value }) => value);
  return {
    key,
    name: entry.metadata.name,
    namespace: entry.metadata.namespace,
    hostname: host,
    addresses: [...addresses, ...own].flatMap((text) => addressOf(text, options) ?? []),
    ports: ports.map((port) => ({
      servicePort: port.number,
      targetPort: port.targetPort ?? port.number,
      appProtocol: entryProtocol(port),
    })),
    subjectAltNames: subjectAltNames.flatMap((name) => parseSpiffeId(name) ?? []),
    weightedWaypoints: [],
    ...(resolution === 'NONE' ? { loadBalancing: passThrough } : {}),
    ...(endpointChoice === undefined ? {} : { endpointChoice }),
    ipFamilies: 'AUTOMATIC',
    canonical,
    ingressUseWaypoint: false,
    visibility: visibilityOf(entry) === 'NAMESPACE' ? 'NAMESPACE' : 'PUBLIC',
  };
}

/** Traffic goes to the address that was asked for. */
const passThrough: LoadBalancing = { routingPreference: [], mode: 'PASSTHROUGH', healthPolicy: 'ALLOW_ALL' };

/** A block loses its host bits; one that holds a single address is that address. */
function addressOf(text: string, { network }: DeriveOptions): ServiceAddress | undefined {
  const block = parseBlock(text);
  if (block === undefined) return undefined;
  const { bytes, length } = block;
  const masked = bytes.map((byte, at) => byte & (0xff00 >> Math.min(8, Math.max(0, length - at * 8))) & 0xff);
  const ip = ipFromBytes(masked);
  if (ip === undefined) return undefined;
  return length === bytes.length * 8 ? { network, ip } : { network, ip, prefixLength: length };
}
