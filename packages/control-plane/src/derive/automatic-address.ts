/**
 * Addresses of hosts that have none (control-plane-contract section 2.4): of 240.240.0.0/16 and 2001:2::/48, a pair a host.
 *
 * A1  What an entry's status says stays, for as long as the entry gets automatic addresses at all. Of two that name one
 *     address, as a copied status does, the older entry keeps it.
 * A2  A new address follows from the host's name; of two that ask for one number the older entry gets it, the younger the
 *     next free one. So all replicas of a control plane say the same before one of them wrote it down, and in a directory,
 *     where nobody writes, an address does not change when another host comes or goes.
 */
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { objectName } from '../manifest/collections.ts';
import { autoAddressLabel } from '../manifest/service-entry.ts';
import { byAge } from './l7/age.ts';
import type { HostAddress, ServiceEntryManifest } from '../manifest/service-entry.ts';

/** By `namespace/name` of the entry, in the order of its hosts. */
export type AutomaticAddresses = ReadonlyMap<string, readonly HostAddress[]>;

/** Numbers of the range; the first and the last address of 240.240.0.0/16 are left out. */
const numbers = 65_534;

export function automaticAddresses(entries: readonly ServiceEntryManifest[]): AutomaticAddresses {
  const asking = entries.filter(mayHaveAddresses).sort(byAge);
  const kept = new Map<ServiceEntryManifest, readonly HostAddress[]>();
  const taken = new Set(entries.flatMap(({ spec }) => (spec.addresses ?? []).map(canonical)));
  for (const entry of asking) {
    const free = keptAddresses(entry).filter(({ value }) => !taken.has(canonical(value)));
    for (const { value } of free) taken.add(canonical(value));
    kept.set(entry, free);
  }
  return new Map(
    asking.map((entry) => {
      const name = objectName(entry.metadata);
      const addresses = hostsOf(entry).flatMap((host) => {
        const known = (kept.get(entry) ?? []).filter((address) => address.host === host);
        return known.length > 0 ? known : allocate(name, host, taken);
      });
      return [name, addresses] as const;
    }),
  );
}

/** Equal addresses are equal texts. */
function canonical(text: string): string {
  return parseIp(text) ?? text;
}

/** Who gets none: what has addresses of its own, what passes through to the address asked for, who says so. */
function mayHaveAddresses({ metadata, spec }: ServiceEntryManifest): boolean {
  const { addresses = [], resolution = 'NONE' } = spec;
  return addresses.length === 0 && resolution !== 'NONE' && metadata.labels?.[autoAddressLabel] !== 'false';
}

/** A wildcard is no name that somebody could look up, unless DNS is asked for each name below it. */
function hostsOf({ spec }: ServiceEntryManifest): readonly string[] {
  return [...new Set(spec.hosts)].filter((host) => spec.resolution === 'DYNAMIC_DNS' || !host.startsWith('*'));
}

function keptAddresses(entry: ServiceEntryManifest): readonly HostAddress[] {
  const hosts = new Set(hostsOf(entry));
  return (entry.status?.addresses ?? []).flatMap(({ host, value }) => {
    return host !== undefined && hosts.has(host) && parseIp(value) !== undefined ? [{ host, value }] : [];
  });
}

/** A2; none once the range is used up. */
function allocate(entry: string, host: string, taken: Set<string>): readonly HostAddress[] {
  const wanted = hash(`${entry}/${host}`) % numbers;
  for (let step = 0; step < numbers; step++) {
    const pair = addressPair(((wanted + step) % numbers) + 1);
    if (pair.some((value) => taken.has(value))) continue;
    for (const value of pair) taken.add(value);
    return pair.map((value) => ({ host, value }));
  }
  return [];
}

function addressPair(number: number): readonly string[] {
  return [`240.240.${number >> 8}.${number & 0xff}`, `2001:2::${number.toString(16)}`];
}

/** FNV-1a, 32 bits: spreads, and is the same everywhere. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return value;
}
