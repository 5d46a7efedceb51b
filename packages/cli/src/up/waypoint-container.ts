/**
 * The container of a waypoint pod. A Gateway says that there is a waypoint and how many pods it has; what runs in them is
 * ours: the real program, with its environment as in a cluster (l4-contract section 12).
 */
import { gatewayNameLabel, managedLabel, ourController } from '@clearmesh/control-plane/manifest/managed';
import { hbonePort } from '@clearmesh/control-plane/manifest/gateway';
import type { PodManifest } from '@clearmesh/control-plane/manifest/pod';
import type { ContainerSpec } from './desired-pod.ts';

/** Where the parts of the mesh are that a waypoint needs. */
export type WaypointPlaces = {
  /** Program and leading arguments. */
  readonly command: readonly string[];
  readonly controlPlaneUrl: string;
  /** The root the waypoint verifies the control plane with. */
  readonly rootCertificate: string;
  /** Directory of token files. */
  readonly tokenDir: string;
  /** Lifetime of the certificates it asks for, such as `90s`. @default that of the waypoint */
  readonly certificateLifetime?: string;
};

/** For a reading that is to run nowhere. */
export const noPlaces: WaypointPlaces = { command: ['waypoint'], controlPlaneUrl: '', rootCertificate: '', tokenDir: '' };

/** The Gateway from which the pod follows; `undefined` for other pods, and for those whose container is written by hand. */
export function gatewayOf({ metadata: { labels }, spec }: PodManifest): string | undefined {
  const [container] = spec?.containers ?? [];
  const isWritten = typeof container === 'object' && container !== null && 'command' in container;
  return labels?.[managedLabel] === ourController && !isWritten ? labels[gatewayNameLabel] : undefined;
}

/** Where the token of a pod is. */
export function tokenFileOf(
  tokenDir: string,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): string {
  // Neither of the two may hold a "_", so no two pods share a file.
  return `${tokenDir}/token-${namespace}_${name}`;
}

/** Its port listens only once there is a configuration and a certificate, so that the probe of the port is its readiness. */
export function waypointContainer(gateway: string, tokenFile: string, places: WaypointPlaces): ContainerSpec {
  const { command, controlPlaneUrl, rootCertificate, certificateLifetime } = places;
  return {
    command,
    env: {
      XDS_ADDRESS: controlPlaneUrl,
      CA_ADDRESS: controlPlaneUrl,
      XDS_ROOT_CA: rootCertificate,
      CA_ROOT_CA: rootCertificate,
      AUTH_TOKEN: tokenFile,
      GATEWAY_NAME: gateway,
      CLUSTER_ID: 'Kubernetes',
      TRUST_DOMAIN: 'cluster.local',
      LOG_FORMAT: 'json',
      RUST_LOG: 'info',
      ...(certificateLifetime === undefined ? {} : { SECRET_TTL: certificateLifetime }),
    },
    envFromFields: {
      POD_NAME: 'metadata.name',
      POD_NAMESPACE: 'metadata.namespace',
      SERVICE_ACCOUNT: 'spec.serviceAccountName',
      NODE_NAME: 'spec.nodeName',
      INSTANCE_IP: 'status.podIP',
    },
    workingDir: '.',
    port: hbonePort,
    namedPorts: { mesh: hbonePort },
  };
}
