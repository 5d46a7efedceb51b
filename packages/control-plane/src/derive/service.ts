/** Service object to Service model (control-plane-contract section 2.4). */
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { serviceKey } from '@clearmesh/shared/model/names';
import type { IpFamilies, Service, ServicePort } from '@clearmesh/shared/model/service';
import type { ServiceKey } from '@clearmesh/shared/model/names';
import { clusterIps } from '../manifest/service.ts';
import { appProtocolOf } from './app-protocol.ts';
import { endpointChoiceOf } from './endpoint-choice.ts';
import { loadBalancingOf } from './load-balancing.ts';
import type { NamespaceManifest } from '../manifest/namespace.ts';
import type { ServiceManifest, ServicePortManifest } from '../manifest/service.ts';
import type { DeriveOptions } from './options.ts';

/** The model of a Service; `undefined` for an ExternalName, which is a DNS alias and no destination. */
export function deriveService(
  service: ServiceManifest,
  namespace: NamespaceManifest | undefined,
  options: DeriveOptions,
): Service | undefined {
  if (service.spec?.type === 'ExternalName') return undefined;
  const loadBalancing = loadBalancingOf(service, namespace);
  const endpointChoice = endpointChoiceOf(service);
  return {
    key: keyOfService(service, options),
    name: service.metadata.name,
    namespace: service.metadata.namespace,
    hostname: hostnameOf(service, options),
    addresses: clusterIps(service).flatMap((text) => {
      const ip = parseIp(text);
      return ip === undefined ? [] : [{ network: options.network, ip }];
    }),
    ports: (service.spec?.ports ?? []).map(derivePort),
    subjectAltNames: [],
    weightedWaypoints: [],
    ...(loadBalancing === undefined ? {} : { loadBalancing }),
    ...(endpointChoice === undefined ? {} : { endpointChoice }),
    ipFamilies: familiesOf(service),
    canonical: true,
    ingressUseWaypoint: usedByIngress(service, namespace),
    visibility: 'PUBLIC',
  };
}

export function keyOfService(service: ServiceManifest, options: DeriveOptions): ServiceKey {
  return serviceKey(service.metadata.namespace, hostnameOf(service, options));
}

function hostnameOf(service: ServiceManifest, options: DeriveOptions): string {
  return `${service.metadata.name}.${service.metadata.namespace}.svc.${options.domain}`;
}

/** Own label, else the namespace's; Go's ParseBool, as upstream, so that a word it does not know is no wish. */
function usedByIngress(service: ServiceManifest, namespace: NamespaceManifest | undefined): boolean {
  const label = 'istio.io/ingress-use-waypoint';
  const value = service.metadata.labels?.[label] ?? namespace?.metadata.labels?.[label] ?? '';
  return ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value);
}

function derivePort(port: ServicePortManifest): ServicePort {
  const targetPort = port.targetPort ?? port.port;
  return {
    servicePort: port.port,
    // A named port has a number per pod only.
    targetPort: typeof targetPort === 'number' ? targetPort : 0,
    appProtocol: appProtocolOf(port),
  };
}

function familiesOf(service: ServiceManifest): IpFamilies {
  const families = new Set(service.spec?.ipFamilies ?? []);
  if (families.size === 2) return 'DUAL';
  if (families.has('IPv4')) return 'IPV4_ONLY';
  return families.has('IPv6') ? 'IPV6_ONLY' : 'AUTOMATIC';
}
