/** Where a redirected connection wanted to go (REDIRECT changed it; connection tracking remembers). */
import type net from 'node:net';
import { SOCKADDR_IN6_BYTES, SOCKADDR_IN_BYTES, decodeSockaddr } from './inet-address.ts';
import type { InetAddress } from './inet-address.ts';
import { descriptorOf } from './socket-descriptor.ts';
import { SOL_IP, SOL_IPV6, readOption } from './socket-options.ts';

// Both families use number 80. On a dual-stack socket the IPv4 form answers for IPv4-mapped peers.
const SO_ORIGINAL_DST = 80;

/** IPv4 form, then IPv6; `undefined` when tracking knows neither: the caller then takes the local address (l4-contract section 1). */
export function originalDestination(socket: net.Socket): InetAddress | undefined {
  const fd = descriptorOf(socket);
  if (fd === undefined) return undefined;
  const sockaddr =
    readOption(fd, SOL_IP, SO_ORIGINAL_DST, SOCKADDR_IN_BYTES) ?? readOption(fd, SOL_IPV6, SO_ORIGINAL_DST, SOCKADDR_IN6_BYTES);
  return sockaddr === undefined ? undefined : decodeSockaddr(sockaddr);
}
