/**
 * The last step of an inbound connection: to the application, and only with a permit in hand.
 *
 * D1  Nothing here opens a connection without a Permit, so a path that forgets policy does not compile.
 * D2  The application sees the address of the permitted client, not the proxy's.
 */
import type net from 'node:net';
import { ipFamily, parseIp } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Permit } from '../authorise/permit.ts';
import type { PodNetwork } from './pod-network.ts';
import { proxyHeader } from '@clearmesh/shared/wire/proxy-header';

export type DeliveryOptions = {
  /** Reach the application over loopback, for a tunnel that listens there only. */
  readonly localhost: boolean;
  /** Start with a PROXY header that names this client and destination. */
  readonly proxyHeader?: { readonly source: SocketAddress; readonly destination: SocketAddress };
};

/** A connection to the permitted destination; rejects with MESH-DELIVER-001 or the signal's reason. */
export async function connectToApplication(
  permit: Permit,
  options: DeliveryOptions,
  network: PodNetwork,
  signal: AbortSignal,
): Promise<net.Socket> {
  const { destination, sourceIp, identity } = permit.facts;
  const socket = options.localhost
    ? await network.connect(loopbackOf(destination), {}, signal)
    : await network.connect(destination, { source: sourceIp }, signal);
  if (options.proxyHeader !== undefined) {
    socket.write(proxyHeader({ ...options.proxyHeader, ...(identity === undefined ? {} : { identity }) }));
  }
  return socket;
}

function loopbackOf({ ip, port }: SocketAddress): SocketAddress {
  const loopback = parseIp(ipFamily(ip) === 4 ? '127.0.0.1' : '::1');
  if (loopback === undefined) throw new MeshError('MESH-INTERNAL-001', { message: 'a loopback address does not parse' });
  return { ip: loopback, port };
}
