/** The resolvers in a resolv.conf (resolv.conf(5)). Its search list is not read: what is forwarded was searched by the pod already. */
import { parseIp } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';

/** As many as the C library reads (MAXNS). */
const maxNameservers = 3;

/** Pure. What is no address, such as a link-local one with a zone, is passed over. */
export function nameserversIn(text: string): readonly SocketAddress[] {
  const addresses = text.split('\n').map((line) => /^\s*nameserver\s+([^\s;#]+)/.exec(line)?.[1]);
  const ips = addresses.map((address) => (address === undefined ? undefined : parseIp(address))).filter((ip) => ip !== undefined);
  return ips.slice(0, maxNameservers).map((ip) => ({ ip, port: 53 }));
}
