import type { IpAddress } from './ip-address.ts';

/** An address within a named network; `network` is "" where a mesh has one network only. */
export type NetworkAddress = { readonly network: string; readonly ip: IpAddress };

/** Where a waypoint or network gateway is found, by service hostname or by address. */
export type GatewayAddress =
  | { readonly kind: 'hostname'; readonly namespace: string; readonly hostname: string; readonly hboneMtlsPort: number }
  | { readonly kind: 'address'; readonly address: NetworkAddress; readonly hboneMtlsPort: number };
