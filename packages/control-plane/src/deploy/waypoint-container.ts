/** The waypoint's process in its pod: environment, ports, probes, rights. Names of variables: packages/waypoint/src/config.ts. */
import { criticalityLabel } from '../derive/banking-domain.ts';
import { hbonePort, networkLabel } from '../manifest/gateway.ts';
import type { GatewayManifest } from '../manifest/gateway.ts';
import type { Json, JsonMap } from './strategic-merge.ts';
import type { WaypointOptions } from './waypoint-options.ts';

export const statusPort = 15_021;
export const metricsPort = 15_020;
/** Seconds; the process derives from it how long live requests get. */
export const gracePeriodSeconds = 30;

const tokenDirectory = '/var/run/secrets/tokens';
const rootDirectory = '/var/run/secrets/istio';
const readiness = { httpGet: { path: '/healthz/ready', port: statusPort, scheme: 'HTTP' } };

/** Overlays written for Istio name its container, so that those of its class keep working. */
export function containerName(gateway: GatewayManifest): string {
  return gateway.spec.gatewayClassName === 'istio-waypoint' ? 'istio-proxy' : 'waypoint';
}

export function waypointContainer(gateway: GatewayManifest, options: WaypointOptions): JsonMap {
  return {
    name: containerName(gateway),
    image: options.image,
    imagePullPolicy: options.imagePullPolicy,
    env: environment(gateway, options),
    ports: [
      { name: 'hbone', containerPort: hbonePort, protocol: 'TCP' },
      { name: 'metrics', containerPort: metricsPort, protocol: 'TCP' },
      { name: 'status-port', containerPort: statusPort, protocol: 'TCP' },
    ],
    startupProbe: { ...readiness, periodSeconds: 1, failureThreshold: 30 },
    readinessProbe: { ...readiness, periodSeconds: 15, timeoutSeconds: 1, failureThreshold: 4 },
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '2', memory: '1Gi' } },
    securityContext: {
      runAsUser: 1337,
      runAsGroup: 1337,
      runAsNonRoot: true,
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: 'istio-token', mountPath: tokenDirectory, readOnly: true },
      { name: 'istiod-ca-cert', mountPath: rootDirectory, readOnly: true },
    ],
  };
}

/** The token that proves who asks for a certificate, and the authority that proves who gives it. */
export const waypointVolumes: readonly Json[] = [
  {
    name: 'istio-token',
    projected: { sources: [{ serviceAccountToken: { audience: 'istio-ca', expirationSeconds: 43_200, path: 'istio-token' } }] },
  },
  { name: 'istiod-ca-cert', configMap: { name: 'istio-ca-root-cert' } },
];

function environment({ metadata }: GatewayManifest, options: WaypointOptions): readonly Json[] {
  const root = `${rootDirectory}/root-cert.pem`;
  const criticality = metadata.labels?.[criticalityLabel];
  return [
    value('GATEWAY_NAME', metadata.name),
    field('POD_NAME', 'metadata.name'),
    field('POD_NAMESPACE', 'metadata.namespace'),
    field('NODE_NAME', 'spec.nodeName'),
    field('INSTANCE_IP', 'status.podIP'),
    field('SERVICE_ACCOUNT', 'spec.serviceAccountName'),
    value('XDS_ADDRESS', options.controlPlane),
    value('XDS_ROOT_CA', root),
    value('CA_ADDRESS', options.controlPlane),
    value('CA_ROOT_CA', root),
    value('TRUST_BUNDLE_PATH', root),
    value('AUTH_TOKEN', `${tokenDirectory}/istio-token`),
    value('CLUSTER_ID', options.clusterId),
    value('TRUST_DOMAIN', options.trustDomain),
    value('NETWORK', options.network),
    ...(isOwnGateway({ metadata }, options) ? [value('NETWORK_GATEWAY', 'true')] : []),
    value('TERMINATION_GRACE_PERIOD_SECONDS', String(gracePeriodSeconds)),
    value('RUST_LOG', options.log.level),
    value('LOG_FORMAT', options.log.format),
    ...(criticality === undefined ? [] : [value('OTEL_RESOURCE_ATTRIBUTES', `service.criticality=${criticality}`)]),
  ];
}

/** A waypoint with the label of its own network takes callers of others as well. */
function isOwnGateway({ metadata }: Pick<GatewayManifest, 'metadata'>, { network }: WaypointOptions): boolean {
  return network !== '' && metadata.labels?.[networkLabel] === network;
}

function value(name: string, text: string): Json {
  return { name, value: text };
}

function field(name: string, fieldPath: string): Json {
  return { name, valueFrom: { fieldRef: { fieldPath } } };
}
