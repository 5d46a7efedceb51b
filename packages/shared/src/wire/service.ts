/** Services of `istio.workload`, both ways; defaults and rejections of l4-contract section 3.5. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { parseSpiffeId } from '../identity/spiffe.ts';
import { serviceKey } from '../model/names.ts';
import type { LoadBalancing, Service, ServicePort, WeightedWaypoint } from '../model/service.ts';
import { decodeGateway, decodeServiceAddress, encodeGateway, encodeServiceAddress } from './address.ts';
import { decodeEndpointChoice, encodeEndpointChoice } from './endpoint-choice.ts';
import { enumTable } from './enum-table.ts';
import {
  AppProtocol,
  IPFamilies,
  LoadBalancing_HealthPolicy,
  LoadBalancing_Mode,
  LoadBalancing_Scope,
  Visibility,
} from './gen/workload/workload_pb.ts';
import type {
  LoadBalancing as LoadBalancingMessage,
  LoadBalancingSchema,
  Port,
  Service as ServiceMessage,
  ServiceSchema,
  WeightedWaypoint as WeightedMessage,
} from './gen/workload/workload_pb.ts';
import { portFrom, refuse } from './rejected.ts';

const ipFamilies = enumTable({
  AUTOMATIC: IPFamilies.AUTOMATIC,
  IPV4_ONLY: IPFamilies.IPV4_ONLY,
  IPV6_ONLY: IPFamilies.IPV6_ONLY,
  DUAL: IPFamilies.DUAL,
});
const visibilities = enumTable({ PUBLIC: Visibility.PUBLIC, NAMESPACE: Visibility.NAMESPACE });
const appProtocols = enumTable({
  UNKNOWN: AppProtocol.UNKNOWN,
  HTTP11: AppProtocol.HTTP11,
  HTTP2: AppProtocol.HTTP2,
  GRPC: AppProtocol.GRPC,
  TCP: AppProtocol.TCP,
  TLS: AppProtocol.TLS,
});
// UNSPECIFIED_SCOPE is left out on purpose: a preference that prefers nothing is a mistake of the sender.
const scopes = enumTable({
  REGION: LoadBalancing_Scope.REGION,
  ZONE: LoadBalancing_Scope.ZONE,
  SUBZONE: LoadBalancing_Scope.SUBZONE,
  NODE: LoadBalancing_Scope.NODE,
  CLUSTER: LoadBalancing_Scope.CLUSTER,
  NETWORK: LoadBalancing_Scope.NETWORK,
});
const modes = enumTable({
  UNSPECIFIED: LoadBalancing_Mode.UNSPECIFIED_MODE,
  STRICT: LoadBalancing_Mode.STRICT,
  FAILOVER: LoadBalancing_Mode.FAILOVER,
  PASSTHROUGH: LoadBalancing_Mode.PASSTHROUGH,
});
const healthPolicies = enumTable({
  ONLY_HEALTHY: LoadBalancing_HealthPolicy.ONLY_HEALTHY,
  ALLOW_ALL: LoadBalancing_HealthPolicy.ALLOW_ALL,
});

/** The model's service; refuses what section 3.5 rejects. */
export function fromServiceMessage(message: ServiceMessage): Service {
  const { name, namespace, hostname, canonical, ingressUseWaypoint } = message;
  if (hostname === '') return refuse('hostname: a service without hostname could never be removed');
  const endpointChoice = decodeEndpointChoice(message.extensions);
  return {
    key: serviceKey(namespace, hostname),
    name,
    namespace,
    hostname,
    addresses: message.addresses.map(decodeServiceAddress),
    ports: message.ports.map(decodePort),
    // A peer proves a SPIFFE id, so a name of another kind could never match and is dropped.
    subjectAltNames: message.subjectAltNames.map(parseSpiffeId).filter((id) => id !== undefined),
    ...(message.waypoint === undefined ? {} : { waypoint: decodeGateway(message.waypoint, 'waypoint') }),
    weightedWaypoints: message.weightedWaypoints.map(decodeWeighted),
    ...(message.loadBalancing === undefined ? {} : { loadBalancing: decodeLoadBalancing(message.loadBalancing) }),
    ...(endpointChoice === undefined ? {} : { endpointChoice }),
    ipFamilies: ipFamilies.nameOf(message.ipFamilies, 'ip_families'),
    canonical,
    ingressUseWaypoint,
    visibility: visibilities.nameOr(message.visibility, 'PUBLIC'),
  };
}

export function toServiceMessage(service: Service): MessageInitShape<typeof ServiceSchema> {
  const { name, namespace, hostname, canonical, ingressUseWaypoint, waypoint, loadBalancing, endpointChoice } = service;
  return {
    name,
    namespace,
    hostname,
    addresses: service.addresses.map(encodeServiceAddress),
    ports: service.ports.map((port) => ({ ...port, appProtocol: appProtocols.valueOf(port.appProtocol) })),
    subjectAltNames: [...service.subjectAltNames],
    ...(waypoint === undefined ? {} : { waypoint: encodeGateway(waypoint) }),
    weightedWaypoints: service.weightedWaypoints.map(({ destination, weight }) => ({
      destination: encodeGateway(destination),
      weight,
    })),
    ...(loadBalancing === undefined ? {} : { loadBalancing: encodeLoadBalancing(loadBalancing) }),
    ...(endpointChoice === undefined ? {} : { extensions: [encodeEndpointChoice(endpointChoice)] }),
    ipFamilies: ipFamilies.valueOf(service.ipFamilies),
    canonical,
    ingressUseWaypoint,
    visibility: visibilities.valueOf(service.visibility),
  };
}

function decodePort(port: Port): ServicePort {
  return {
    servicePort: portFrom(port.servicePort, 'ports'),
    targetPort: portFrom(port.targetPort, 'ports'),
    appProtocol: appProtocols.nameOr(port.appProtocol, 'UNKNOWN'),
  };
}

function decodeWeighted(message: WeightedMessage): WeightedWaypoint {
  if (message.destination === undefined) return refuse('weighted_waypoints: a gateway needs a destination');
  return { destination: decodeGateway(message.destination, 'weighted_waypoints'), weight: message.weight };
}

function decodeLoadBalancing(message: LoadBalancingMessage): LoadBalancing {
  return {
    routingPreference: message.routingPreference.map((scope) => scopes.nameOf(scope, 'load_balancing.routing_preference')),
    mode: modes.nameOf(message.mode, 'load_balancing.mode'),
    healthPolicy: healthPolicies.nameOf(message.healthPolicy, 'load_balancing.health_policy'),
  };
}

function encodeLoadBalancing(loadBalancing: LoadBalancing): MessageInitShape<typeof LoadBalancingSchema> {
  return {
    routingPreference: loadBalancing.routingPreference.map(scopes.valueOf),
    mode: modes.valueOf(loadBalancing.mode),
    healthPolicy: healthPolicies.valueOf(loadBalancing.healthPolicy),
  };
}
