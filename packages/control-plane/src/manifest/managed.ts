/** Marks of objects that belong to a Gateway (control-plane-contract sections 1.3 and 3). */
import type { Labels } from './metadata.ts';

export const gatewayNameLabel = 'gateway.networking.k8s.io/gateway-name';
export const managedLabel = 'gateway.istio.io/managed';
/** The value of {@link managedLabel} on what this control plane implies. */
export const ourController = 'clearmesh.io-mesh-controller';

const waypointControllers: ReadonlySet<string> = new Set([
  ourController,
  'istio.io-mesh-controller',
  'istio.io-eastwest-controller',
]);

/** True for Services and pods of waypoints and network gateways: their own traffic never passes a waypoint. */
export function belongsToWaypoint(labels: Labels | undefined): boolean {
  return waypointControllers.has(labels?.[managedLabel] ?? '');
}

/** True for pods of any Gateway. */
export function isGatewayPod(labels: Labels | undefined): boolean {
  return labels?.[gatewayNameLabel] !== undefined || belongsToWaypoint(labels);
}
