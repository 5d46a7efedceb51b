/**
 * Where a cluster IP leads for clients outside the mesh: what kube-proxy would program. Captured clients never get
 * here, since their proxy resolves the service itself.
 */
import { clusterIps } from '@clearmesh/control-plane/manifest/service';
import type { ServiceManifest, ServicePortManifest } from '@clearmesh/control-plane/manifest/service';
import type { LabService } from '@clearmesh/lab/topology/service-rules';

export type Endpoint = {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ip: string;
  readonly ready: boolean;
  /** Container ports by name. */
  readonly ports: Readonly<Record<string, number>>;
};

/** One entry for each TCP port of each IPv4 cluster IP. */
export function labServices(services: readonly ServiceManifest[], endpoints: readonly Endpoint[]): readonly LabService[] {
  return services.flatMap((service) => {
    const backing = endpoints.filter((endpoint) => endpoint.ready && selects(service, endpoint));
    const ports = (service.spec?.ports ?? []).filter((port) => (port.protocol ?? 'TCP') === 'TCP');
    const vips = clusterIps(service).filter((ip) => !ip.includes(':'));
    return vips.flatMap((vip) => ports.map((port) => ({ vip, port: port.port, endpoints: targets(port, backing) })));
  });
}

/** An empty selector selects nothing (control-plane contract section 2.3). */
function selects(service: ServiceManifest, endpoint: Endpoint): boolean {
  const selector = Object.entries(service.spec?.selector ?? {});
  if (selector.length === 0 || service.metadata.namespace !== endpoint.namespace) return false;
  return selector.every(([name, value]) => endpoint.labels[name] === value);
}

function targets(port: ServicePortManifest, endpoints: readonly Endpoint[]): LabService['endpoints'] {
  return endpoints.flatMap((endpoint) => {
    const target = port.targetPort ?? port.port;
    const number = typeof target === 'number' ? target : endpoint.ports[target];
    return number === undefined ? [] : [{ ip: endpoint.ip, port: number }];
  });
}
