import type { GatewayAddress, NetworkAddress } from './gateway-address.ts';
import type { ServiceKey } from './names.ts';
import type { SpiffeId } from '../identity/spiffe.ts';

export type AppProtocol = 'UNKNOWN' | 'HTTP11' | 'HTTP2' | 'GRPC' | 'TCP' | 'TLS';
export type LoadBalancingScope = 'REGION' | 'ZONE' | 'SUBZONE' | 'NODE' | 'CLUSTER' | 'NETWORK';
export type LoadBalancingMode = 'UNSPECIFIED' | 'STRICT' | 'FAILOVER' | 'PASSTHROUGH';
export type HealthPolicy = 'ONLY_HEALTHY' | 'ALLOW_ALL';
export type IpFamilies = 'AUTOMATIC' | 'IPV4_ONLY' | 'IPV6_ONLY' | 'DUAL';

export type LoadBalancing = {
  readonly routingPreference: readonly LoadBalancingScope[];
  readonly mode: LoadBalancingMode;
  readonly healthPolicy: HealthPolicy;
};

/** What a service's author wants beyond Istio; proxies of others pass it over. */
export type EndpointChoice = {
  /** Of two endpoints drawn, the one with fewer connections for its weight; else the first one drawn. */
  readonly leastRequest: boolean;
  /** Endpoints that one connection may try until one takes it, 1 to {@link maxConnectAttempts}. */
  readonly connectAttempts: number;
};

export const maxConnectAttempts = 5;

/** `targetPort` 0: the port is named, and each workload maps it for itself. */
export type ServicePort = { readonly servicePort: number; readonly targetPort: number; readonly appProtocol: AppProtocol };

/** A VIP, or a block of them when `prefixLength` is present. */
export type ServiceAddress = NetworkAddress & { readonly prefixLength?: number };

export type WeightedWaypoint = { readonly destination: GatewayAddress; readonly weight: number };

/** A virtual destination. */
export type Service = {
  readonly key: ServiceKey;
  readonly name: string;
  readonly namespace: string;
  readonly hostname: string;
  readonly addresses: readonly ServiceAddress[];
  readonly ports: readonly ServicePort[];
  readonly subjectAltNames: readonly SpiffeId[];
  readonly waypoint?: GatewayAddress;
  readonly weightedWaypoints: readonly WeightedWaypoint[];
  /** Absent: random by capacity over healthy endpoints. */
  readonly loadBalancing?: LoadBalancing;
  /** Absent: one drawn, one tried. */
  readonly endpointChoice?: EndpointChoice;
  readonly ipFamilies: IpFamilies;
  readonly canonical: boolean;
  readonly ingressUseWaypoint: boolean;
  readonly visibility: 'PUBLIC' | 'NAMESPACE';
};
