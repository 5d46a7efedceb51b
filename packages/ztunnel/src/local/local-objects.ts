/** Objects as the local configuration file writes them; its schema has let them through. */

/** Service port to target port; keys are text, as in JSON. */
export type LocalPorts = Readonly<Record<string, number>>;

export type LocalGateway = {
  /** `network/IP` or `namespace/hostname`. */
  readonly destination: string;
  readonly hboneMtlsPort: number;
};

export type LocalWorkload = {
  readonly uid?: string;
  readonly name?: string;
  readonly namespace: string;
  readonly workloadIps: readonly string[];
  readonly protocol?: 'TCP' | 'HBONE';
  readonly networkMode?: 'Standard' | 'HostNetwork';
  readonly trustDomain?: string;
  readonly serviceAccount?: string;
  readonly network?: string;
  readonly workloadName?: string;
  readonly workloadType?: 'deployment' | 'cronjob' | 'pod' | 'job';
  readonly canonicalName?: string;
  readonly canonicalRevision?: string;
  readonly hostname?: string;
  readonly node?: string;
  readonly nativeTunnel?: boolean;
  readonly applicationTunnel?: { readonly protocol: 'NONE' | 'PROXY'; readonly port?: number };
  readonly authorizationPolicies?: readonly string[];
  readonly status?: 'Healthy' | 'Unhealthy';
  readonly clusterId?: string;
  readonly locality?: { readonly region?: string; readonly zone?: string; readonly subzone?: string };
  readonly waypoint?: LocalGateway;
  readonly networkGateway?: LocalGateway;
  readonly capacity?: number;
  /** By `namespace/hostname`. */
  readonly services?: Readonly<Record<string, LocalPorts>>;
};

export type LocalService = {
  readonly name: string;
  readonly namespace: string;
  readonly hostname: string;
  /** `network/IP`. */
  readonly vips: readonly string[];
  readonly cidrVips?: readonly { readonly network: string; readonly cidr: string }[];
  readonly ports: LocalPorts;
  readonly subjectAltNames?: readonly string[];
  readonly waypoint?: LocalGateway;
  readonly weightedWaypoints?: readonly { readonly destination: LocalGateway; readonly weight: number }[];
  readonly loadBalancer?: {
    readonly routingPreferences: readonly ('Region' | 'Zone' | 'Subzone' | 'Node' | 'Cluster' | 'Network')[];
    readonly mode: 'Standard' | 'Strict' | 'Failover' | 'Passthrough';
    readonly healthPolicy?: 'OnlyHealthy' | 'AllowAll';
  };
  readonly ipFamilies?: 'Dual' | 'IPv4' | 'IPv6';
  readonly canonical?: boolean;
  readonly visibility?: 'Public' | 'Namespace';
};

/** Exactly one of them. */
export type LocalString = {
  readonly Exact?: string;
  readonly Prefix?: string;
  readonly Suffix?: string;
  readonly Presence?: readonly never[];
};

type LocalAccount = { readonly namespace: string; readonly serviceAccount: string };

export type LocalMatch = {
  readonly namespaces?: readonly LocalString[];
  readonly notNamespaces?: readonly LocalString[];
  readonly principals?: readonly LocalString[];
  readonly notPrincipals?: readonly LocalString[];
  readonly serviceAccounts?: readonly LocalAccount[];
  readonly notServiceAccounts?: readonly LocalAccount[];
  readonly sourceIps?: readonly string[];
  readonly notSourceIps?: readonly string[];
  readonly destinationIps?: readonly string[];
  readonly notDestinationIps?: readonly string[];
  readonly destinationPorts?: readonly number[];
  readonly notDestinationPorts?: readonly number[];
};

export type LocalPolicy = {
  readonly name: string;
  readonly namespace: string;
  readonly scope: 'Global' | 'Namespace' | 'WorkloadSelector';
  readonly action: 'Allow' | 'Deny';
  /** Rules of clauses of matches. */
  readonly rules: readonly (readonly (readonly LocalMatch[])[])[];
  readonly dryRun?: boolean;
};

export type LocalObjects = {
  readonly workloads?: readonly LocalWorkload[];
  readonly services?: readonly LocalService[];
  readonly policies?: readonly LocalPolicy[];
};
