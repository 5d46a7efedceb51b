import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';

/** `host:port`, or the address with its port. */
export function formatGatewayAddress(address: GatewayAddress): string {
  return address.kind === 'hostname'
    ? `${address.hostname}:${address.hboneMtlsPort}`
    : formatSocketAddress({ ip: address.address.ip, port: address.hboneMtlsPort });
}
