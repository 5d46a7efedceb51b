/** Addresses and gateways of `istio.workload` (l4-contract section 3.3), both ways. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { GatewayAddress } from '../model/gateway-address.ts';
import { ipFromBytes, ipToBytes } from '../model/ip-address.ts';
import type { IpAddress } from '../model/ip-address.ts';
import type { ServiceAddress } from '../model/service.ts';
import type {
  GatewayAddress as GatewayMessage,
  GatewayAddressSchema,
  NetworkAddress,
  NetworkAddressSchema,
} from './gen/workload/workload_pb.ts';
import { portFrom, refuse } from './rejected.ts';

export function decodeIp(bytes: Uint8Array, field: string): IpAddress {
  return ipFromBytes(bytes) ?? refuse(`${field}: an address has 4 or 16 bytes, this one has ${bytes.length}`);
}

/** A length as long as the address is no block, and left out. */
export function decodeServiceAddress(message: NetworkAddress): ServiceAddress {
  const ip = decodeIp(message.address, 'addresses');
  const bits = message.address.length * 8;
  if (message.length === undefined || message.length === bits) return { network: message.network, ip };
  if (message.length > bits) return refuse(`addresses: prefix length ${message.length} of ${ip} exceeds ${bits}`);
  // An IPv4-mapped address became IPv4 above, and its prefix has to follow.
  const prefixLength = ip.includes(':') || bits === 32 ? message.length : message.length - 96;
  if (prefixLength < 0) return refuse(`addresses: prefix length ${message.length} of ${ip} reaches beyond IPv4-mapped addresses`);
  return { network: message.network, ip, prefixLength };
}

export function encodeServiceAddress(address: ServiceAddress): MessageInitShape<typeof NetworkAddressSchema> {
  const { network, ip, prefixLength } = address;
  return { network, address: ipToBytes(ip), ...(prefixLength === undefined ? {} : { length: prefixLength }) };
}

export function decodeGateway(message: GatewayMessage, field: string): GatewayAddress {
  const { destination } = message;
  const hboneMtlsPort = portFrom(message.hboneMtlsPort, `${field}.hbone_mtls_port`);
  switch (destination.case) {
    case 'hostname':
      return { kind: 'hostname', namespace: destination.value.namespace, hostname: destination.value.hostname, hboneMtlsPort };
    case 'address': {
      const { network, address } = destination.value;
      return { kind: 'address', address: { network, ip: decodeIp(address, field) }, hboneMtlsPort };
    }
    case undefined:
      return refuse(`${field}: a gateway needs a destination, a hostname or an address`);
  }
}

export function encodeGateway(gateway: GatewayAddress): MessageInitShape<typeof GatewayAddressSchema> {
  const { hboneMtlsPort } = gateway;
  if (gateway.kind === 'hostname') {
    const { namespace, hostname } = gateway;
    return { destination: { case: 'hostname', value: { namespace, hostname } }, hboneMtlsPort };
  }
  return { destination: { case: 'address', value: encodeServiceAddress(gateway.address) }, hboneMtlsPort };
}
