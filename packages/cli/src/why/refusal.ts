/** What to change where the caller's own ztunnel refuses. Pure. */
import type { RefusedRoute } from '@clearmesh/ztunnel/resolve/route';
import { hasSelector } from './destination.ts';
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import { domainOfUnread } from '@clearmesh/control-plane/manifest/banking-domain';
import type { MeshView } from '../mesh/mesh-view.ts';

export function refusalChanges(view: MeshView, { reason, service }: RefusedRoute): readonly string[] {
  switch (reason) {
    case 'waypoint-unavailable':
      return waypointChanges(view, service === undefined ? undefined : view.model.bindings.services.get(service.key));
    case 'no-healthy-upstream':
      if (service !== undefined && !hasSelector(view, service)) return [withoutSelector];
      return ['See why no pod of the Service is ready, or whether the port is one of its ports: clearmesh describe service.'];
    case 'self-call':
      return ['Ask for a port of the application: 15001, 15006 and 15008 are the proxy’s own.'];
    case 'network-gateway-unavailable':
      return [
        'Make the gateway of that network ready: a Gateway with the label topology.istio.io/network, an address and a listener of protocol HBONE. Or call a destination of the same network.',
      ];
    case 'unknown-source':
      return ['See whether the control plane knows the pod: clearmesh check.'];
    default:
      return unreachable(reason);
  }
}

const withoutSelector =
  'The Service has no selector: somebody else says where it leads, and the mesh does not know. Call its endpoints by their own addresses.';

type Binding = { readonly gateway: string; readonly reason: string };

function waypointChanges({ collections }: MeshView, binding: Binding | undefined): readonly string[] {
  if (binding === undefined) return ['Make the waypoint that the pod names ready: clearmesh waypoint status.'];
  const { gateway, reason } = binding;
  const [namespace = '', name = ''] = gateway.split('/');
  const unread = domainOfUnread(name);
  if (unread !== undefined) return [`Mend BankingDomain ${unread}: its status names field, value and remedy.`];
  const without = 'Or take the label istio.io/use-waypoint off, and the traffic goes direct.';
  switch (reason) {
    case 'AttachmentDenied':
      return [`Let Gateway ${gateway} admit this namespace: allowedRoutes.namespaces of its listener.`, without];
    case 'UnsupportedTrafficType':
      return [`Let Gateway ${gateway} take this traffic: label istio.io/waypoint-for: all.`, without];
    default: {
      const exists = collections.gateways.some(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
      const make = `clearmesh waypoint apply -n ${namespace} --name ${name}`;
      return [
        exists
          ? `Make the waypoint ready: clearmesh waypoint status -n ${namespace} ${name} says what it lacks.`
          : `Make the waypoint: ${make}`,
        without,
      ];
    }
  }
}
