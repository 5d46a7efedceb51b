/** The pods of a waypoint in a cluster. */
import { replicasAnnotation, replicasOf } from '../manifest/gateway.ts';
import { gatewayNameLabel } from '../manifest/managed.ts';
import { chosenAnnotations, chosenLabels, marks, objectMetadata } from './object-metadata.ts';
import { gracePeriodSeconds, metricsPort, waypointContainer, waypointVolumes } from './waypoint-container.ts';
import type { GatewayManifest } from '../manifest/gateway.ts';
import type { Labels } from '../manifest/metadata.ts';
import type { KubernetesObject } from './kubernetes-object.ts';
import type { Json, JsonMap } from './strategic-merge.ts';
import type { WaypointOptions } from './waypoint-options.ts';

export function waypointDeployment(gateway: GatewayManifest, uid: string, options: WaypointOptions): KubernetesObject {
  const { name } = gateway.metadata;
  const wanted = gateway.metadata.annotations?.[replicasAnnotation] === undefined ? undefined : replicasOf(gateway);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: objectMetadata(gateway, uid),
    spec: {
      // Absent unless asked for, so that an autoscaler, or whoever scales by hand, has the word.
      ...(wanted === undefined ? {} : { replicas: wanted }),
      selector: { matchLabels: { [gatewayNameLabel]: name } },
      // A new pod is ready before an old one goes.
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels: podLabels(gateway), annotations: podAnnotations(gateway) },
        spec: podSpec(gateway, options),
      },
    },
  };
}

function podSpec(gateway: GatewayManifest, options: WaypointOptions): JsonMap {
  const { imagePullSecrets } = options;
  return {
    serviceAccountName: gateway.metadata.name,
    // It asks the API server for nothing.
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: gracePeriodSeconds,
    ...(imagePullSecrets.length === 0 ? {} : { imagePullSecrets: imagePullSecrets.map((name) => ({ name })) }),
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    topologySpreadConstraints: ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].map((key) => spread(key, gateway)),
    containers: [waypointContainer(gateway, options)],
    volumes: waypointVolumes,
  };
}

/** Preferred, not required: one node must do for a small cluster. */
function spread(topologyKey: string, gateway: GatewayManifest): Json {
  return {
    topologyKey,
    maxSkew: 1,
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: { [gatewayNameLabel]: gateway.metadata.name } },
  };
}

function podLabels(gateway: GatewayManifest): Labels {
  return {
    ...chosenLabels(gateway),
    ...marks(gateway),
    // Not captured, since it ends tunnels itself; the second label is what tells node proxies so.
    'istio.io/dataplane-mode': 'none',
    'networking.istio.io/tunnel': 'http',
    'sidecar.istio.io/inject': 'false',
    'service.istio.io/canonical-name': gateway.metadata.name,
    'service.istio.io/canonical-revision': 'latest',
  };
}

function podAnnotations(gateway: GatewayManifest): Labels {
  return {
    ...chosenAnnotations(gateway),
    'prometheus.io/scrape': 'true',
    'prometheus.io/port': String(metricsPort),
    'prometheus.io/path': '/stats/prometheus',
  };
}
