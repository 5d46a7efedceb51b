/** What the control plane is told from outside. */
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';

export type ControlPlaneOptions = {
  /** Where configuration, callers and the root come from. */
  readonly setting: DirectorySetting | ClusterSetting;
  readonly listen: SocketAddress;
  readonly clusterId: string;
  readonly trustDomain: string;
  readonly rootNamespace: string;
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
};
