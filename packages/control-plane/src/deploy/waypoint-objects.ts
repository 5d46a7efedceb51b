/**
 * What a cluster needs for a waypoint (control-plane-contract section 3), as values.
 *
 * In: a Gateway, the ConfigMaps its overlays stand in, options. Out: {@link WaypointObjects}.
 * O1  Pure: the same input gives equal objects, so that nothing is sent twice.
 * O2  All or nothing: with a parameter that cannot be used nothing is made, and what runs already keeps running.
 * O3  An autoscaler and a disruption budget are made only where they are asked for, or where several replicas are.
 */
import { hbonePort, replicasOf } from '../manifest/gateway.ts';
import { gatewayNameLabel } from '../manifest/managed.ts';
import { objectMetadata } from './object-metadata.ts';
import { findOverlays, overlaid } from './overlay.ts';
import { statusPort } from './waypoint-container.ts';
import { waypointDeployment } from './waypoint-deployment.ts';
import type { GatewayManifest } from '../manifest/gateway.ts';
import type { KubernetesObject } from './kubernetes-object.ts';
import type { OverlayKey } from './overlay.ts';
import type { OverlayMap, WaypointOptions } from './waypoint-options.ts';

export type WaypointObjects =
  | { readonly kind: 'objects'; readonly objects: readonly KubernetesObject[] }
  /** What is wrong with the parameters, and what to do. */
  | { readonly kind: 'invalid'; readonly message: string };

export type DeploySurroundings = {
  readonly options: WaypointOptions;
  readonly rootNamespace: string;
  /** Those that Gateways name, by `namespace/name`, and those with defaults for a class. */
  readonly overlays: ReadonlyMap<string, OverlayMap>;
};

/** Of a Gateway that an API server has: without a uid nothing could be owned by it. */
export function waypointObjects(gateway: GatewayManifest, around: DeploySurroundings): WaypointObjects {
  const { uid = '' } = gateway.metadata;
  if (uid === '') return { kind: 'invalid', message: 'the Gateway has no metadata.uid, so that nothing can be owned by it' };
  const found = findOverlays(gateway, around);
  if (found.kind === 'invalid') return found;
  const asked = (key: OverlayKey): boolean => found.overlays.some((overlay) => overlay.key === key);
  const bases: readonly (readonly [OverlayKey, KubernetesObject])[] = [
    ['serviceAccount', serviceAccount(gateway, uid)],
    ['deployment', waypointDeployment(gateway, uid, around.options)],
    ['service', service(gateway, uid)],
    ...(asked('horizontalPodAutoscaler') ? [['horizontalPodAutoscaler', autoscaler(gateway, uid)] as const] : []),
    ...(asked('podDisruptionBudget') || (replicasOf(gateway) ?? 1) > 1
      ? [['podDisruptionBudget', disruptionBudget(gateway, uid)] as const]
      : []),
  ];
  const objects: KubernetesObject[] = [];
  for (const [key, base] of bases) {
    const result = overlaid(key, base, found.overlays);
    if (result.kind === 'invalid') return result;
    objects.push(result.object);
  }
  return { kind: 'objects', objects };
}

function serviceAccount(gateway: GatewayManifest, uid: string): KubernetesObject {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: objectMetadata(gateway, uid) };
}

function service(gateway: GatewayManifest, uid: string): KubernetesObject {
  const near = { 'networking.istio.io/traffic-distribution': 'PreferClose' };
  const name = gateway.spec.listeners?.find(({ port, protocol }) => port === hbonePort && protocol === 'HBONE')?.name ?? 'mesh';
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: objectMetadata(gateway, uid, near),
    spec: {
      type: serviceType(gateway),
      ipFamilyPolicy: 'PreferDualStack',
      selector: { [gatewayNameLabel]: gateway.metadata.name },
      ports: [
        { name: 'status-port', port: statusPort, targetPort: statusPort, protocol: 'TCP', appProtocol: 'tcp' },
        { name, port: hbonePort, targetPort: hbonePort, protocol: 'TCP', appProtocol: 'hbone' },
      ],
    },
  };
}

/** An address of its own for callers of other networks. */
function serviceType({ metadata }: GatewayManifest): string {
  const asked = metadata.annotations?.['networking.istio.io/service-type'];
  return asked === 'NodePort' || asked === 'LoadBalancer' ? asked : 'ClusterIP';
}

function autoscaler(gateway: GatewayManifest, uid: string): KubernetesObject {
  const cpu = { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } };
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: objectMetadata(gateway, uid),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: gateway.metadata.name },
      // The overlay says more; without one, nothing scales.
      maxReplicas: 1,
      metrics: [{ type: 'Resource', resource: cpu }],
    },
  };
}

function disruptionBudget(gateway: GatewayManifest, uid: string): KubernetesObject {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: objectMetadata(gateway, uid),
    spec: {
      ...((replicasOf(gateway) ?? 1) > 1 ? { minAvailable: 1 } : {}),
      selector: { matchLabels: { [gatewayNameLabel]: gateway.metadata.name } },
    },
  };
}
