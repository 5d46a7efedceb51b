/** Marks of objects that belong to a Gateway (control-plane-contract sections 1.3 and 3). */
import type { Labels } from './metadata.ts';

export const gatewayNameLabel = 'gateway.networking.k8s.io/gateway-name';
export const gatewayClassLabel = 'gateway.networking.k8s.io/gateway-class-name';
export const managedLabel = 'gateway.clearmesh.io/managed';
/** The value of {@link managedLabel} on what this control plane makes for a Gateway. */
export const ourController = 'clearmesh-mesh-controller';

const istioManagedLabel = 'gateway.istio.io/managed';
const istioWaypointControllers: ReadonlySet<string> = new Set(['istio.io-mesh-controller', 'istio.io-eastwest-controller']);

/** True for what this control plane made itself, and may change. */
export function isOurs(labels: Labels | undefined): boolean {
  return labels?.[managedLabel] === ourController;
}

/** True for Services and pods of waypoints and network gateways, ours or Istio's: their own traffic never passes a waypoint. */
export function belongsToWaypoint(labels: Labels | undefined): boolean {
  return isOurs(labels) || istioWaypointControllers.has(labels?.[istioManagedLabel] ?? '');
}

/** True for pods of any Gateway. */
export function isGatewayPod(labels: Labels | undefined): boolean {
  return labels?.[gatewayNameLabel] !== undefined || belongsToWaypoint(labels);
}
