/** What the control plane is told from outside. */
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { WaypointOptions } from '../deploy/waypoint-options.ts';

export type ControlPlaneOptions = {
  /** Where configuration, callers and the root come from. */
  readonly setting: DirectorySetting | ClusterSetting;
  readonly listen: SocketAddress;
  readonly clusterId: string;
  readonly trustDomain: string;
  readonly rootNamespace: string;
  /** Of all pods and services. @default '': there is one only */
  readonly network?: string;
  readonly defaultMtls: 'STRICT' | 'PERMISSIVE';
  readonly requirePermissiveExpiry: boolean;
  /** `namespace/account`. */
  readonly trustedNodeAccounts: readonly string[];
  /** @default none */
  readonly admin?: SocketAddress;
};

/** Files, and no cluster. */
export type DirectorySetting = {
  readonly kind: 'directory';
  /** Manifests; every *.yaml and *.yml below it. */
  readonly directory: string;
  /** What kubelet and node agent know of pods. @default none */
  readonly statusFile?: string;
  /** Where the status of objects is written, replaced by rename. @default nowhere */
  readonly statusOut?: string;
  /** Holds the root certificate and its key. */
  readonly stateDirectory: string;
  /** JWKS file. */
  readonly tokenKeys: string;
};

/** The Kubernetes API. */
export type ClusterSetting = {
  readonly kind: 'kubernetes';
  /** File. @default the pod's own account */
  readonly kubeconfig?: string;
  /** Of this replica, for the lease. @default the machine's name */
  readonly podName?: string;
  /** HTTPS for the API server's questions. @default none */
  readonly webhook?: SocketAddress;
  /** What waypoints are made with. @default none is made */
  readonly waypoints?: WaypointSetting;
};

/** Beside what the control plane and its waypoints have in common. */
export type WaypointSetting = Omit<WaypointOptions, 'clusterId' | 'trustDomain' | 'network'> & {
  /** Where they may be made; none is everywhere. */
  readonly namespaces: readonly string[];
};
