/** Which services a pod stands behind, and on which of its ports (control-plane-contract section 2.3). */
import type { ServiceKey } from '@clearmesh/shared/model/names';
import type { PortMapping } from '@clearmesh/shared/model/workload';
import { hasLabels } from './labels.ts';
import { keyOfService } from './service.ts';
import type { PodManifest } from '../manifest/pod.ts';
import type { ServiceManifest } from '../manifest/service.ts';
import type { DeriveOptions } from './options.ts';

/** `services` are those of the pod's namespace, sorted; a service without ports leaves an empty entry. */
export function endpointPorts(
  pod: PodManifest,
  services: readonly ServiceManifest[],
  options: DeriveOptions,
): ReadonlyMap<ServiceKey, readonly PortMapping[]> {
  const selecting = services.filter((service) => selects(service, pod));
  return new Map(selecting.map((service) => [keyOfService(service, options), mappings(service, pod)]));
}

/** A service without selector gets its endpoints from elsewhere; it never means "all pods". */
function selects(service: ServiceManifest, pod: PodManifest): boolean {
  const { selector = {}, type } = service.spec ?? {};
  return type !== 'ExternalName' && Object.keys(selector).length > 0 && hasLabels(pod.metadata.labels, selector);
}

function mappings(service: ServiceManifest, pod: PodManifest): readonly PortMapping[] {
  return (service.spec?.ports ?? []).flatMap((port) => {
    const target = port.targetPort ?? port.port;
    const targetPort = typeof target === 'number' ? target : containerPort(pod, target);
    return targetPort === undefined ? [] : [{ servicePort: port.port, targetPort }];
  });
}

/** TCP ports of containers, and of init containers that keep running beside them. */
function containerPort(pod: PodManifest, name: string): number | undefined {
  const { containers = [], initContainers = [] } = pod.spec ?? {};
  const running = [...containers, ...initContainers.filter((container) => container.restartPolicy === 'Always')];
  return running
    .flatMap((container) => container.ports ?? [])
    .find((port) => port.name === name && (port.protocol ?? 'TCP') === 'TCP')?.containerPort;
}
