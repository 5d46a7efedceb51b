/**
 * A resolv.conf (resolv.conf(5)): its resolvers, and its search list. That of the proxy's own pod says nothing of other pods; a
 * proxy of one workload shares it with that workload.
 */
import { readFileSync } from 'node:fs';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Logger } from '@clearmesh/shared/observe/log';

export type ResolverConfig = {
  readonly nameservers: readonly SocketAddress[];
  /** Lower case, without dots at either end. */
  readonly search: readonly string[];
};

/** As many as the C library reads (MAXNS). */
const maxNameservers = 3;
/** Each costs a look into the mesh for every question. */
const maxSearched = 32;

/** Pure. What is no address, such as a link-local one with a zone, is passed over. */
export function nameserversIn(text: string): readonly SocketAddress[] {
  const addresses = text.split('\n').map((line) => /^\s*nameserver\s+([^\s;#]+)/.exec(line)?.[1]);
  const ips = addresses.map((address) => (address === undefined ? undefined : parseIp(address))).filter((ip) => ip !== undefined);
  return ips.slice(0, maxNameservers).map((ip) => ({ ip, port: 53 }));
}

/** Pure. Of several lines the last one counts, as in the C library. */
export function searchListIn(text: string): readonly string[] {
  const lines = text.split('\n').map((line) => /^\s*(?:search|domain)\s+([^;#]*)/.exec(line)?.[1]);
  const last = lines.findLast((line) => line !== undefined) ?? '';
  const names = last.split(/\s+/).map((name) => name.toLowerCase().replace(/^\.+|\.+$/g, ''));
  return names.filter((name) => name !== '').slice(0, maxSearched);
}

/**
 * Whom to ask for a pod. Pure. The server that it asked, alone; if that is one of the proxy's or not known, those of the proxy,
 * which are also asked when the first one is down.
 */
export function resolversFor(asked: SocketAddress | undefined, own: readonly SocketAddress[]): readonly SocketAddress[] {
  const isOwn = asked === undefined || own.some(({ ip, port }) => ip === asked.ip && port === asked.port);
  return isOwn ? own : [asked];
}

/** The cluster's own resolver, as the kubelet tells every pod of it; without one, names that the mesh does not know fail. */
export function readResolver(file: string, logger: Pick<Logger, 'warn'>): ResolverConfig {
  try {
    const text = readFileSync(file, 'utf8');
    return { nameservers: nameserversIn(text), search: searchListIn(text) };
  } catch (error) {
    logger.warn('names that the mesh does not know cannot be looked up for pods', { file, error: String(error) });
    return { nameservers: [], search: [] };
  }
}
