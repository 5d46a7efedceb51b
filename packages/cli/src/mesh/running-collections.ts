/**
 * A directory as if its pods ran: addresses, readiness and capture are facts of a running mesh, which files do not have.
 * Pure. Enrolment follows the labels as the node agent reads them.
 */
import { isFinished, podAddresses } from '@clearmesh/control-plane/manifest/pod';
import { clusterIps } from '@clearmesh/control-plane/manifest/service';
import type { Collections } from '@clearmesh/control-plane/manifest/collections';
import type { NamespaceManifest } from '@clearmesh/control-plane/manifest/namespace';
import type { PodManifest } from '@clearmesh/control-plane/manifest/pod';
import type { ServiceManifest } from '@clearmesh/control-plane/manifest/service';
import { DATAPLANE_MODE } from '@clearmesh/node-agent/enrol/enrolment';
import { enrolmentOf } from './capture.ts';

export type RunningOptions = {
  readonly systemNamespace: string;
  /** Every namespace but those of the system is in the mesh, whatever its labels say. */
  readonly ifEnrolled: boolean;
};

/** RFC 2544: addresses for measurements, which nobody has. */
const podBlock = '198.18';
const serviceBlock = '198.19';
const redirection = 'ambient.istio.io/redirection';

export function asIfRunning(collections: Collections, options: RunningOptions): Collections {
  const { systemNamespace, ifEnrolled } = options;
  const namespaces = ifEnrolled ? enrolled(collections, systemNamespace) : collections.namespaces;
  return {
    ...collections,
    namespaces,
    pods: collections.pods.map((pod, index) => captured(runningPod(pod, index), namespaces, systemNamespace)),
    services: collections.services.map(addressedService),
  };
}

/** As if every namespace but those of the system were in the mesh, and every pod that can be were captured. */
export function asIfEnrolled(collections: Collections, systemNamespace: string): Collections {
  const namespaces = enrolled(collections, systemNamespace);
  return { ...collections, namespaces, pods: collections.pods.map((pod) => captured(pod, namespaces, systemNamespace)) };
}

function enrolled({ namespaces, pods }: Collections, systemNamespace: string): Collections['namespaces'] {
  const names = new Set([...namespaces.keys(), ...pods.map(({ metadata }) => metadata.namespace)]);
  for (const outside of [systemNamespace, 'kube-system']) names.delete(outside);
  const labelled = [...names].map((name): [string, NamespaceManifest] => {
    const metadata = namespaces.get(name)?.metadata ?? { name };
    return [name, { metadata: { ...metadata, labels: { ...metadata.labels, [DATAPLANE_MODE]: 'ambient' } } }];
  });
  return new Map([...namespaces, ...labelled]);
}

function runningPod(pod: PodManifest, index: number): PodManifest {
  if (isFinished(pod) || podAddresses(pod).length > 0) return pod;
  const status = { phase: 'Running', podIP: addressAt(podBlock, index), conditions: [{ type: 'Ready', status: 'True' }] };
  return { ...pod, status };
}

function captured(pod: PodManifest, namespaces: Collections['namespaces'], systemNamespace: string): PodManifest {
  if (enrolmentOf(pod, namespaces, systemNamespace).kind !== 'capture') return pod;
  return { ...pod, metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, [redirection]: 'enabled' } } };
}

/** Kubernetes gives an address to whatever does not say `None`. */
function addressedService(service: ServiceManifest, index: number): ServiceManifest {
  const { spec } = service;
  if (spec?.type === 'ExternalName' || spec?.clusterIP === 'None' || clusterIps(service).length > 0) return service;
  return { ...service, spec: { ...spec, clusterIP: addressAt(serviceBlock, index) } };
}

function addressAt(block: string, index: number): string {
  const number = index + 1;
  return `${block}.${Math.floor(number / 256) % 256}.${number % 256}`;
}
