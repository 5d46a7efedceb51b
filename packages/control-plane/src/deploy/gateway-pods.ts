/**
 * What a waypoint's Gateway implies where no cluster makes it (control-plane-contract section 3): in a directory the
 * Gateway alone is written, and its Service and pods follow from it.
 *
 * In: {@link Collections}. Out: the same with the implied objects.
 * G1  Pure and repeatable: what is there already, written by hand or by an earlier run, is left as it is.
 * G2  Implied pods carry no status: addresses and readiness come from whoever runs them, as for any pod.
 * G3  The ServiceAccount has the Gateway's name; accounts are names of identities here, so that no object is needed.
 */
import { isOfRevision } from '../derive/labels.ts';
import { objectName } from '../manifest/collections.ts';
import { hbonePort, isManaged, isWaypoint, replicasOf } from '../manifest/gateway.ts';
import { gatewayClassLabel, gatewayNameLabel, managedLabel, ourController } from '../manifest/managed.ts';
import type { Collections } from '../manifest/collections.ts';
import type { GatewayManifest } from '../manifest/gateway.ts';
import type { Labels } from '../manifest/metadata.ts';
import type { PodManifest } from '../manifest/pod.ts';
import type { ServiceManifest } from '../manifest/service.ts';

/** With the Service and the pods of every waypoint that the mesh runs itself. */
export function withGatewayPods(collections: Collections, revision = 'default'): Collections {
  const gateways = collections.gateways.filter((gateway) => isDeployed(gateway, revision));
  if (gateways.length === 0) return collections;
  return {
    ...collections,
    services: withMissing(collections.services, gateways.map(serviceOf)),
    pods: withMissing(collections.pods, gateways.flatMap(podsOf)),
  };
}

/** True for a Gateway whose waypoint the mesh runs itself. */
export function isDeployed(gateway: GatewayManifest, revision: string): boolean {
  return isWaypoint(gateway) && isManaged(gateway) && isOfRevision(gateway.metadata.labels, revision);
}

/** Names of the pods of a Gateway, `<gateway>-0` and so on. */
export function podNames(gateway: GatewayManifest): readonly string[] {
  return Array.from({ length: replicasOf(gateway) ?? 1 }, (_, index) => `${gateway.metadata.name}-${index}`);
}

function serviceOf(gateway: GatewayManifest): ServiceManifest {
  const { name, namespace } = gateway.metadata;
  return {
    metadata: { name, namespace, labels: ownLabels(gateway) },
    spec: {
      clusterIP: 'None',
      selector: { [gatewayNameLabel]: name },
      ports: [{ name: 'mesh', port: hbonePort, targetPort: hbonePort, appProtocol: 'hbone' }],
    },
  };
}

function podsOf(gateway: GatewayManifest): readonly PodManifest[] {
  const { name, namespace } = gateway.metadata;
  const labels = {
    ...ownLabels(gateway),
    // Not captured, since it ends tunnels itself; the second label is what tells node proxies so.
    'istio.io/dataplane-mode': 'none',
    'networking.istio.io/tunnel': 'http',
    'service.istio.io/canonical-name': name,
    'service.istio.io/canonical-revision': 'latest',
  };
  return podNames(gateway).map((podName) => ({
    metadata: { name: podName, namespace, labels },
    spec: { serviceAccountName: name, containers: [{ ports: [{ name: 'mesh', containerPort: hbonePort }] }] },
  }));
}

function ownLabels(gateway: GatewayManifest): Labels {
  return {
    [gatewayNameLabel]: gateway.metadata.name,
    [gatewayClassLabel]: gateway.spec.gatewayClassName,
    [managedLabel]: ourController,
  };
}

type Named = { readonly metadata: { readonly name: string; readonly namespace: string } };

/** In the order of collections: by namespace and name, by code unit. */
function withMissing<T extends Named>(present: readonly T[], implied: readonly T[]): readonly T[] {
  const names = new Set(present.map((object) => objectName(object.metadata)));
  const missing = implied.filter((object) => !names.has(objectName(object.metadata)));
  if (missing.length === 0) return present;
  return [...present, ...missing].sort((a, b) => (objectName(a.metadata) < objectName(b.metadata) ? -1 : 1));
}
