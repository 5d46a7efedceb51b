/**
 * The environment of a waypoint as typed options. Names are those of the node proxy where both have the option
 * (l4-contract section 12). Everything is checked at start and rejected together.
 */
import type { PeerTrustOptions } from '@clearmesh/shared/certificates/peer-trust';
import { readTrust } from '@clearmesh/shared/certificates/trust-environment';
import { readRemote } from '@clearmesh/shared/discovery/remote-environment';
import type { RemoteConfig } from '@clearmesh/shared/discovery/remote-environment';
import { EnvironmentReader } from '@clearmesh/shared/lifecycle/environment';
import type { Environment } from '@clearmesh/shared/lifecycle/environment';
import { readTerminationDeadline } from '@clearmesh/shared/lifecycle/termination-environment';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import { readEngineName } from '@clearmesh/shared/tunnel/engine-choice';
import type { EngineName } from '@clearmesh/shared/tunnel/engine-choice';
import { readTlsPolicy } from '@clearmesh/shared/tls/tls-environment';
import type { TlsPolicy } from '@clearmesh/shared/tls/tls-policy';
import { readLogConfig } from '@clearmesh/shared/observe/log-environment';
import type { LogConfig } from '@clearmesh/shared/observe/log-environment';
import { readTracingOptions } from './telemetry/tracing/tracing-options.ts';
import type { TracingOptions } from './telemetry/tracing/tracing-options.ts';

export type WaypointConfig = {
  /** Absent: no control plane, so nothing is ever served. */
  readonly xds?: RemoteConfig;
  /** Absent: no certificate, so nobody can call. */
  readonly ca?: RemoteConfig;
  /** Path of the token file, or the token itself; re-read for each request. */
  readonly authToken: string;
  /** Lifetime asked for the own certificate, milliseconds. @default 24 hours */
  readonly certificateTtlMs: number;
  /** Further roots, and revocation lists. @default none */
  readonly trust: PeerTrustOptions;
  /** Of tunnels, and of connections to the control plane. @default TLS 1.3, any key exchange */
  readonly tls: TlsPolicy;
  readonly gateway: { readonly namespace: string; readonly name: string };
  /** @default the Gateway's name */
  readonly serviceAccount: string;
  readonly podName: string;
  readonly nodeName: string;
  readonly instanceIp: IpAddress;
  readonly clusterId: string;
  readonly network: string;
  /** Callers of other networks are led to services of this one, by hostname. @default false */
  readonly networkGateway: boolean;
  /** Listen on [::] rather than 0.0.0.0. @default true */
  readonly ipv6: boolean;
  readonly trustDomain: string;
  readonly ports: { readonly hbone: number; readonly admin: number; readonly stats: number; readonly readiness: number };
  /** @default framed */
  readonly tunnelEngine: EngineName;
  readonly tracing: TracingOptions;
  /** Share of successful requests that get a line in the access log, 0 to 1. @default 1 */
  readonly accessLogShare: number;
  /** File with key material (32 bytes or more) for answers kept in a shared store. */
  readonly domainKeyFile?: string;
  readonly opaWorkers: number;
  readonly log: LogConfig;
  /** Time live requests get after SIGTERM, milliseconds. @default 5 s */
  readonly terminationDeadlineMs: number;
};

/** The whole configuration, or a MESH-CONFIG-003 that names every unusable variable. */
export function readConfig(env: Environment): WaypointConfig {
  const reader = new EnvironmentReader(env);
  const xds = readRemote(reader, 'XDS');
  const ca = readRemote(reader, 'CA');
  const name = required(reader, 'GATEWAY_NAME', 'set it to the name of the Gateway this waypoint serves');
  const namespace = required(reader, 'POD_NAMESPACE', 'set it to the namespace of the Gateway');
  const podName = required(reader, 'POD_NAME', 'set it to the name of this pod');
  const domainKeyFile = reader.text('DOMAIN_KEY_FILE', '');
  const config: WaypointConfig = {
    ...(xds === undefined ? {} : { xds }),
    ...(ca === undefined ? {} : { ca }),
    authToken: reader.text('AUTH_TOKEN', './var/run/secrets/tokens/istio-token'),
    certificateTtlMs: reader.durationMs('SECRET_TTL', 24 * 3_600_000),
    trust: readTrust(reader),
    tls: readTlsPolicy(reader),
    gateway: { namespace, name },
    serviceAccount: reader.text('SERVICE_ACCOUNT', name),
    podName,
    nodeName: reader.text('NODE_NAME', ''),
    instanceIp: reader.ip('INSTANCE_IP', anyAddress),
    clusterId: reader.text('CLUSTER_ID', 'Kubernetes'),
    network: reader.text('NETWORK', ''),
    networkGateway: reader.boolean('NETWORK_GATEWAY', false),
    ipv6: reader.boolean('IPV6_ENABLED', true),
    trustDomain: reader.text('TRUST_DOMAIN', 'cluster.local'),
    ports: {
      hbone: port(reader, 'HBONE_PORT', 15_008),
      admin: port(reader, 'ADMIN_PORT', 15_000),
      stats: port(reader, 'STATS_PORT', 15_020),
      readiness: port(reader, 'READINESS_PORT', 15_021),
    },
    tunnelEngine: readEngineName(reader),
    tracing: readTracingOptions(reader, {
      'service.name': name,
      'service.namespace': namespace,
      'service.instance.id': podName,
      'k8s.pod.name': podName,
    }),
    accessLogShare: share(reader, 'ACCESS_LOG_SHARE'),
    ...(domainKeyFile === '' ? {} : { domainKeyFile }),
    opaWorkers: reader.integer('OPA_WORKERS', 1, { min: 1, max: 4 }),
    log: readLogConfig(reader),
    terminationDeadlineMs: readTerminationDeadline(reader),
  };
  reader.finish();
  return config;
}

const anyAddress = parseIp('0.0.0.0') as IpAddress;

function required(reader: EnvironmentReader, name: string, remedy: string): string {
  const value = reader.text(name, '');
  if (value === '') reader.reject(name, remedy);
  return value;
}

function port(reader: EnvironmentReader, name: string, fallback: number): number {
  return reader.integer(name, fallback, { min: 0, max: 65_535 });
}

function share(reader: EnvironmentReader, name: string): number {
  const text = reader.text(name, '1');
  const value = Number(text);
  if (value >= 0 && value <= 1) return value;
  reader.reject(name, 'set it to a number from 0 to 1');
  return 1;
}
