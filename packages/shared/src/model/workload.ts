import type { GatewayAddress } from './gateway-address.ts';
import type { IpAddress } from './ip-address.ts';
import type { PolicyKey, ServiceKey, WorkloadUid } from './names.ts';

export type TunnelProtocol = 'NONE' | 'HBONE';
export type WorkloadType = 'DEPLOYMENT' | 'CRONJOB' | 'POD' | 'JOB';
export type WorkloadStatus = 'HEALTHY' | 'UNHEALTHY';
export type NetworkMode = 'STANDARD' | 'HOST_NETWORK';

/** What stands behind the workload's HBONE listener; `port` 0 keeps the requested one. */
export type ApplicationTunnel = { readonly protocol: 'NONE' | 'PROXY'; readonly port: number };

export type Locality = { readonly region: string; readonly zone: string; readonly subzone: string };

/** How a service port maps to a port of one workload; `targetPort` 0 means unresolved. */
export type PortMapping = { readonly servicePort: number; readonly targetPort: number };

/** One endpoint of the mesh: a pod, a VM, an external host. Defaults of section 3.5 are already applied. */
export type Workload = {
  readonly uid: WorkloadUid;
  readonly name: string;
  readonly namespace: string;
  readonly addresses: readonly IpAddress[];
  /** DNS name of a workload without address, else "". */
  readonly hostname: string;
  readonly network: string;
  readonly tunnelProtocol: TunnelProtocol;
  readonly nativeTunnel: boolean;
  readonly trustDomain: string;
  readonly serviceAccount: string;
  readonly node: string;
  readonly clusterId: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  readonly workloadType: WorkloadType;
  readonly workloadName: string;
  readonly waypoint?: GatewayAddress;
  readonly networkGateway?: GatewayAddress;
  readonly applicationTunnel?: ApplicationTunnel;
  readonly authorizationPolicies: readonly PolicyKey[];
  readonly services: ReadonlyMap<ServiceKey, readonly PortMapping[]>;
  readonly status: WorkloadStatus;
  readonly locality: Locality;
  readonly networkMode: NetworkMode;
  /** Relative weight in endpoint choice; 0 is never chosen. @default 1 */
  readonly capacity: number;
};
