import { Type } from 'typebox';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { defineKind } from './kind.ts';
import { namespacedMetadata } from './metadata.ts';
import type { Kind } from './kind.ts';
import type { Labels, NamespacedMetadata } from './metadata.ts';

export type ServicePortManifest = {
  readonly name?: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly protocol?: string;
  readonly appProtocol?: string;
};

export type ServiceManifest = {
  readonly metadata: NamespacedMetadata;
  readonly spec?: {
    readonly type?: string;
    readonly selector?: Labels;
    readonly clusterIP?: string;
    readonly clusterIPs?: readonly string[];
    readonly ports?: readonly ServicePortManifest[];
    readonly ipFamilies?: readonly ('IPv4' | 'IPv6')[];
    readonly internalTrafficPolicy?: 'Cluster' | 'Local';
    readonly trafficDistribution?: string;
    readonly publishNotReadyAddresses?: boolean;
  };
};

const clusterIp = Type.Refine(
  Type.String(),
  (text) => text === '' || text === 'None' || parseIp(text) !== undefined,
  () => 'an IP address, such as 10.96.0.20, or None',
);
const targetPort = Type.Refine(
  Type.Union([Type.Integer(), Type.String({ minLength: 1 })]),
  (port) => typeof port === 'string' || (port >= 1 && port <= 65_535),
  () => 'a port from 1 to 65535, or the name of a container port',
);

export const serviceKind: Kind<ServiceManifest> = defineKind(
  { kind: 'Service', apiVersions: ['v1'], scope: 'namespaced' },
  Type.Object({
    metadata: namespacedMetadata,
    spec: Type.Optional(
      Type.Object({
        type: Type.Optional(Type.Enum(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'])),
        selector: Type.Optional(Type.Record(Type.String(), Type.String())),
        clusterIP: Type.Optional(clusterIp),
        clusterIPs: Type.Optional(Type.Array(clusterIp)),
        ports: Type.Optional(
          Type.Array(
            Type.Object({
              name: Type.Optional(Type.String()),
              port: Type.Integer({ minimum: 1, maximum: 65_535 }),
              targetPort: Type.Optional(targetPort),
              protocol: Type.Optional(Type.Enum(['TCP', 'UDP', 'SCTP'])),
              appProtocol: Type.Optional(Type.String()),
            }),
          ),
        ),
        ipFamilies: Type.Optional(Type.Array(Type.Enum(['IPv4', 'IPv6']))),
        internalTrafficPolicy: Type.Optional(Type.Enum(['Cluster', 'Local'])),
        trafficDistribution: Type.Optional(Type.String()),
        publishNotReadyAddresses: Type.Optional(Type.Boolean()),
      }),
    ),
  }),
);

/** The virtual addresses of a Service; none when it is headless or has none yet. */
export function clusterIps(service: ServiceManifest): readonly string[] {
  const { clusterIPs = [], clusterIP = '' } = service.spec ?? {};
  return (clusterIPs.length > 0 ? clusterIPs : [clusterIP]).filter((text) => text !== '' && text !== 'None');
}
