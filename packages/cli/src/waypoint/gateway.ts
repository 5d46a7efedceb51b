/** The Gateway of a waypoint, as it is written. Pure. */
import { waypointForKey } from '@clearmesh/control-plane/manifest/gateway';
import type { WaypointFor } from '@clearmesh/control-plane/manifest/gateway';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

export type WaypointSpec = {
  readonly namespace: string;
  readonly name: string;
  /** @default what the class says: services */
  readonly traffic?: WaypointFor;
  /** @default every revision */
  readonly revision?: string;
  /** @default clearmesh-waypoint */
  readonly className?: string;
};

export const useWaypointLabel = 'istio.io/use-waypoint';
export const gatewayResource = { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway', plural: 'gateways' } as const;

export type WaypointGateway = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly gatewayClassName: string;
    readonly listeners: readonly { readonly name: string; readonly port: number; readonly protocol: string }[];
  };
};

/** MESH-CONFIG-003 for a name that cannot be used. */
export function waypointGateway({
  namespace,
  name,
  traffic,
  revision,
  className = 'clearmesh-waypoint',
}: WaypointSpec): WaypointGateway {
  if (name === 'none') {
    const hint = `In the label ${useWaypointLabel} the word none means: no waypoint. Choose another name.`;
    throw new MeshError('MESH-CONFIG-003', { message: '--name: a waypoint cannot be called none', hint });
  }
  if (!/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) {
    const hint = 'Lower-case letters, digits and "-", beginning with a letter: the Service of the waypoint has this name too.';
    throw new MeshError('MESH-CONFIG-003', { message: `--name: ${name} is no name`, hint });
  }
  const labels = {
    ...(traffic === undefined ? {} : { [waypointForKey]: traffic }),
    ...(revision === undefined ? {} : { 'istio.io/rev': revision }),
  };
  return {
    apiVersion: gatewayResource.apiVersion,
    kind: gatewayResource.kind,
    metadata: { name, namespace, ...(Object.keys(labels).length === 0 ? {} : { labels }) },
    spec: { gatewayClassName: className, listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE' }] },
  };
}
