/** On which of its ports a workload takes the traffic of a service (control-plane-contract section 2.3). */
import type { PortMapping } from '@clearmesh/shared/model/workload';
import type { PodManifest } from '../manifest/pod.ts';
import type { Front, FrontPort } from './front.ts';

/** A port that does not resolve is left out; a service without ports leaves an empty list. */
export function podPorts(pod: PodManifest, front: Front): readonly PortMapping[] {
  return mappings(front, ({ name, target }) => {
    // The port of a ServiceEntry is the container port of its name, if there is one.
    const named = front.kind === 'ServiceEntry' ? containerPort(pod, name) : undefined;
    return named ?? (typeof target === 'number' ? target : containerPort(pod, target));
  });
}

/** @param ports of an entry, by the name of the service port or of its target */
export function entryPorts(ports: Readonly<Record<string, number>> | undefined, front: Front): readonly PortMapping[] {
  return mappings(front, ({ name, target }) => ports?.[name] ?? (typeof target === 'number' ? target : ports?.[target]));
}

/** @param ports of a slice, by name: the slice alone says where its endpoints listen */
export function slicePorts(ports: ReadonlyMap<string, number>, front: Front): readonly PortMapping[] {
  return mappings(front, ({ name }) => ports.get(name));
}

function mappings({ ports }: Front, resolve: (port: FrontPort) => number | undefined): readonly PortMapping[] {
  return ports.flatMap((port) => {
    const targetPort = resolve(port);
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
