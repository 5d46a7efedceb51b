/** Workloads of `istio.workload`, both ways; defaults and rejections of l4-contract section 3.5. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { PolicyKey, ServiceKey, WorkloadUid } from '../model/names.ts';
import type { ApplicationTunnel, Locality, PortMapping, Workload } from '../model/workload.ts';
import { ipToBytes } from '../model/ip-address.ts';
import { decodeGateway, decodeIp, encodeGateway } from './address.ts';
import { enumTable } from './enum-table.ts';
import {
  ApplicationTunnel_Protocol,
  NetworkMode,
  TunnelProtocol,
  WorkloadStatus,
  WorkloadType,
} from './gen/workload/workload_pb.ts';
import type {
  ApplicationTunnel as TunnelMessage,
  PortList,
  Workload as WorkloadMessage,
  WorkloadSchema,
} from './gen/workload/workload_pb.ts';
import { portFrom, refuse } from './rejected.ts';

// LEGACY_ISTIO_MTLS is left out on purpose: a proxy that cannot speak it must not know such a workload.
const tunnelProtocols = enumTable({ NONE: TunnelProtocol.NONE, HBONE: TunnelProtocol.HBONE });
const statuses = enumTable({ HEALTHY: WorkloadStatus.HEALTHY, UNHEALTHY: WorkloadStatus.UNHEALTHY });
const networkModes = enumTable({ STANDARD: NetworkMode.STANDARD, HOST_NETWORK: NetworkMode.HOST_NETWORK });
const tunnelTypes = enumTable({ NONE: ApplicationTunnel_Protocol.NONE, PROXY: ApplicationTunnel_Protocol.PROXY });
const workloadTypes = enumTable({
  DEPLOYMENT: WorkloadType.DEPLOYMENT,
  CRONJOB: WorkloadType.CRONJOB,
  POD: WorkloadType.POD,
  JOB: WorkloadType.JOB,
});

const DEFAULT_TRUST_DOMAIN = 'cluster.local';
const DEFAULT_CAPACITY = 1;

/** The model's workload with defaults applied; refuses what section 3.5 rejects. */
export function fromWorkloadMessage(message: WorkloadMessage): Workload {
  if (message.uid === '') return refuse('uid: a workload without uid could never be removed');
  const { uid, name, namespace, hostname, network, nativeTunnel, node, canonicalName, canonicalRevision, workloadName } = message;
  return {
    uid: uid as WorkloadUid,
    name,
    namespace,
    addresses: message.addresses.map((bytes) => decodeIp(bytes, 'addresses')),
    hostname,
    network,
    tunnelProtocol: tunnelProtocols.nameOf(message.tunnelProtocol, 'tunnel_protocol'),
    nativeTunnel,
    trustDomain: message.trustDomain || DEFAULT_TRUST_DOMAIN,
    serviceAccount: message.serviceAccount || 'default',
    node,
    clusterId: message.clusterId || 'Kubernetes',
    canonicalName,
    canonicalRevision,
    // Telemetry only: upstream was seen to accept an unknown type.
    workloadType: workloadTypes.nameOr(message.workloadType, 'DEPLOYMENT'),
    workloadName,
    ...(message.waypoint === undefined ? {} : { waypoint: decodeGateway(message.waypoint, 'waypoint') }),
    ...(message.networkGateway === undefined ? {} : { networkGateway: decodeGateway(message.networkGateway, 'network_gateway') }),
    ...(message.applicationTunnel === undefined ? {} : { applicationTunnel: decodeTunnel(message.applicationTunnel) }),
    authorizationPolicies: message.authorizationPolicies as readonly string[] as readonly PolicyKey[],
    services: decodeServices(message.services),
    status: statuses.nameOf(message.status, 'status'),
    locality: decodeLocality(message.locality),
    networkMode: networkModes.nameOf(message.networkMode, 'network_mode'),
    capacity: message.capacity ?? DEFAULT_CAPACITY,
  };
}

/**
 * The message as istiod writes it: the default trust domain, a capacity of 1 and an empty locality are left out.
 * An empty service account stays empty, which the receiver reads as `default`.
 */
export function toWorkloadMessage(workload: Workload): MessageInitShape<typeof WorkloadSchema> {
  const { uid, name, namespace, hostname, network, nativeTunnel, node, canonicalName, canonicalRevision, workloadName } =
    workload;
  const { locality, capacity, waypoint, networkGateway, applicationTunnel, serviceAccount, clusterId } = workload;
  return {
    uid,
    name,
    namespace,
    addresses: workload.addresses.map(ipToBytes),
    hostname,
    network,
    tunnelProtocol: tunnelProtocols.valueOf(workload.tunnelProtocol),
    nativeTunnel,
    trustDomain: workload.trustDomain === DEFAULT_TRUST_DOMAIN ? '' : workload.trustDomain,
    serviceAccount,
    node,
    clusterId,
    canonicalName,
    canonicalRevision,
    workloadType: workloadTypes.valueOf(workload.workloadType),
    workloadName,
    ...(waypoint === undefined ? {} : { waypoint: encodeGateway(waypoint) }),
    ...(networkGateway === undefined ? {} : { networkGateway: encodeGateway(networkGateway) }),
    ...(applicationTunnel === undefined ? {} : { applicationTunnel: encodeTunnel(applicationTunnel) }),
    authorizationPolicies: [...workload.authorizationPolicies],
    services: encodeServices(workload.services),
    status: statuses.valueOf(workload.status),
    ...(locality.region === '' && locality.zone === '' && locality.subzone === '' ? {} : { locality }),
    networkMode: networkModes.valueOf(workload.networkMode),
    ...(capacity === DEFAULT_CAPACITY ? {} : { capacity }),
  };
}

function decodeTunnel(message: TunnelMessage): ApplicationTunnel {
  const protocol = tunnelTypes.nameOf(message.protocol, 'application_tunnel.protocol');
  return { protocol, port: portFrom(message.port, 'application_tunnel.port') };
}

function encodeTunnel(tunnel: ApplicationTunnel): { protocol: ApplicationTunnel_Protocol; port: number } {
  return { protocol: tunnelTypes.valueOf(tunnel.protocol), port: tunnel.port };
}

function decodeLocality(message: WorkloadMessage['locality']): Locality {
  return { region: message?.region ?? '', zone: message?.zone ?? '', subzone: message?.subzone ?? '' };
}

function decodeServices(services: Readonly<Record<string, PortList>>): ReadonlyMap<ServiceKey, readonly PortMapping[]> {
  const decoded = new Map<ServiceKey, readonly PortMapping[]>();
  for (const [key, list] of Object.entries(services)) {
    if (!key.includes('/')) return refuse(`services: key "${key}" is not of the form namespace/hostname`);
    decoded.set(
      key as ServiceKey,
      list.ports.map(({ servicePort, targetPort }) => ({
        servicePort: portFrom(servicePort, 'services'),
        targetPort: portFrom(targetPort, 'services'),
      })),
    );
  }
  return decoded;
}

/** Keys are sorted so that equal workloads are equal bytes: versions are hashes of them. */
function encodeServices(services: Workload['services']): Record<string, { ports: PortMapping[] }> {
  const entries = [...services].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, ports]) => [key, { ports: [...ports] }]));
}
