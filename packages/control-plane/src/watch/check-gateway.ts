/** What a schema cannot say of a Gateway that is a waypoint; those of other controllers are not ours to judge. */
import {
  hboneListener,
  hbonePort,
  isWaypoint,
  maxReplicas,
  replicasAnnotation,
  replicasOf,
  waypointForKey,
  waypointForValues,
} from '../manifest/gateway.ts';
import { nearestName } from '@clearmesh/shared/document/nearest-name';
import type { GatewayManifest } from '../manifest/gateway.ts';
import type { Finding } from '@clearmesh/shared/document/finding';

export function checkGateway(gateway: GatewayManifest): readonly Finding[] {
  if (!isWaypoint(gateway)) {
    const typed = nearestName(gateway.spec.gatewayClassName, ['clearmesh-waypoint', 'istio-waypoint']);
    const remedy = `Did you mean ${typed}?`;
    const path = ['spec', 'gatewayClassName'];
    const message = 'is no class of this mesh, but reads like one';
    return typed === undefined ? [] : [{ path, value: gateway.spec.gatewayClassName, message, remedy }];
  }
  return [...checkListeners(gateway), ...checkReplicas(gateway), ...checkTraffic(gateway)];
}

function checkListeners(gateway: GatewayManifest): readonly Finding[] {
  const { listeners = [] } = gateway.spec;
  const remedy = `Write one listener: { name: mesh, port: ${hbonePort}, protocol: HBONE }.`;
  const none = hboneListener(gateway) === undefined;
  return none
    ? [{ path: ['spec', 'listeners'], message: `has no listener for HBONE on port ${hbonePort}`, remedy }]
    : selectors(listeners);
}

function selectors(listeners: NonNullable<GatewayManifest['spec']['listeners']>): readonly Finding[] {
  return listeners.flatMap(({ allowedRoutes }, index) => {
    const { from, selector } = allowedRoutes?.namespaces ?? {};
    if (from !== 'Selector' || selector !== undefined) return [];
    const path = ['spec', 'listeners', index, 'allowedRoutes', 'namespaces', 'selector'];
    return [{ path, message: 'is missing', remedy: 'Say which namespaces by their labels, or write from: All.' }];
  });
}

function checkReplicas(gateway: GatewayManifest): readonly Finding[] {
  if (replicasOf(gateway) !== undefined) return [];
  const value = gateway.metadata.annotations?.[replicasAnnotation];
  const path = ['metadata', 'annotations', replicasAnnotation];
  return [
    { path, value, message: `must be a number from 1 to ${maxReplicas}`, remedy: 'Write a number in quotes, such as "2".' },
  ];
}

function checkTraffic(gateway: GatewayManifest): readonly Finding[] {
  return (['labels', 'annotations'] as const).flatMap((where) => {
    const value = gateway.metadata[where]?.[waypointForKey];
    if (value === undefined || waypointForValues.some((known) => known === value)) return [];
    const nearest = nearestName(value, waypointForValues);
    const list = waypointForValues.join(', ');
    return [
      {
        path: ['metadata', where, waypointForKey],
        value,
        message: `must be one of ${list}`,
        remedy: nearest === undefined ? `Write one of ${list}.` : `Did you mean ${nearest}?`,
      },
    ];
  });
}
