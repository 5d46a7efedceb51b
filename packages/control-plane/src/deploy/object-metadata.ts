/** Labels and annotations of what is made for a Gateway. */
import { gatewayClassLabel, gatewayNameLabel, managedLabel, ourController } from '../manifest/managed.ts';
import type { GatewayManifest } from '../manifest/gateway.ts';
import type { Labels } from '../manifest/metadata.ts';
import type { KubernetesObject } from './kubernetes-object.ts';

/** Keys with a meaning of their own, which a copy would carry to objects they were not meant for. */
const notCopied =
  /(?:^|\.)(?:istio\.io|clearmesh\.io|gateway\.networking\.k8s\.io|kubectl\.kubernetes\.io|helm\.sh|argoproj\.io)\//;

/** What the Gateway says of its objects: its infrastructure's, or else its own. */
export function chosenLabels({ metadata, spec }: GatewayManifest): Labels {
  return withoutOwn(spec.infrastructure?.labels ?? (spec.infrastructure === undefined ? metadata.labels : {}));
}

export function chosenAnnotations({ metadata, spec }: GatewayManifest): Labels {
  return withoutOwn(spec.infrastructure?.annotations ?? (spec.infrastructure === undefined ? metadata.annotations : {}));
}

export function marks(gateway: GatewayManifest): Labels {
  return {
    [gatewayNameLabel]: gateway.metadata.name,
    [gatewayClassLabel]: gateway.spec.gatewayClassName,
    [managedLabel]: ourController,
  };
}

/** With the Gateway as owner: the objects go when it goes. */
export function objectMetadata(gateway: GatewayManifest, uid: string, annotations: Labels = {}): KubernetesObject['metadata'] {
  const { name, namespace } = gateway.metadata;
  const owner = { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway', name, uid };
  const all = { ...chosenAnnotations(gateway), ...annotations };
  return {
    name,
    namespace,
    labels: { ...chosenLabels(gateway), ...marks(gateway) },
    ...(Object.keys(all).length === 0 ? {} : { annotations: all }),
    ownerReferences: [owner],
  };
}

function withoutOwn(labels: Labels = {}): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => !notCopied.test(key)));
}
