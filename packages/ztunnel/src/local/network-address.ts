import { parseIp } from '@clearmesh/shared/model/ip-address';
import type { GatewayAddress, NetworkAddress } from '@clearmesh/shared/model/gateway-address';
import type { LocalGateway } from './local-objects.ts';

/** `network/IP`, where the network may be empty; `undefined` for any other text. */
export function parseNetworkAddress(text: string): NetworkAddress | undefined {
  const slash = text.indexOf('/');
  const ip = slash === -1 ? undefined : parseIp(text.slice(slash + 1));
  return ip === undefined ? undefined : { network: text.slice(0, slash), ip };
}

/** Of a destination that its schema let through: an address if it can be one, else a hostname. */
export function gatewayAddress({ destination, hboneMtlsPort }: LocalGateway): GatewayAddress {
  const address = parseNetworkAddress(destination);
  if (address !== undefined) return { kind: 'address', address, hboneMtlsPort };
  const [namespace = '', hostname = ''] = destination.split('/');
  return { kind: 'hostname', namespace, hostname, hboneMtlsPort };
}
