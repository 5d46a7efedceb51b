/**
 * The environment of a node proxy as typed options (l4-contract section 12). Everything is checked at start and
 * rejected together; what this proxy does not do is refused by name rather than ignored, where ignoring it would
 * weaken what the operator asked for.
 */
import { parseIp } from '@clearmesh/shared/model/ip-address';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import { readRemote } from '@clearmesh/shared/discovery/remote-environment';
import type { RemoteConfig } from '@clearmesh/shared/discovery/remote-environment';
import type { PeerTrustOptions } from '@clearmesh/shared/certificates/peer-trust';
import { readTrust } from '@clearmesh/shared/certificates/trust-environment';
import { readLogConfig } from '@clearmesh/shared/observe/log-environment';
import type { LogConfig } from '@clearmesh/shared/observe/log-environment';
import { readTerminationDeadline } from '@clearmesh/shared/lifecycle/termination-environment';
import { readEngineName } from '@clearmesh/shared/tunnel/engine-choice';
import type { EngineName } from '@clearmesh/shared/tunnel/engine-choice';
import { EnvironmentReader } from '@clearmesh/shared/lifecycle/environment';
import type { Environment } from '@clearmesh/shared/lifecycle/environment';

export type CaptureConfig = {
  /** The node agent's socket. @default /var/run/ztunnel/ztunnel.sock */
  readonly socketPath: string;
  /** SO_MARK of every socket of the proxy. @default 1337 */
  readonly packetMark: number;
  /** Whether the application sees the client's own address. @default best-effort */
  readonly originalSource: 'required' | 'best-effort' | 'off';
  /** SO_REUSEPORT on pod listeners, so that an upgrade can overlap. @default true */
  readonly reusePort: boolean;
  /** Listen on [::] rather than 0.0.0.0. @default true */
  readonly ipv6: boolean;
};

export type DnsConfig = {
  /** Where it listens in each pod; `localhost` is 127.0.0.1, and ::1 where the pod has it. @default localhost */
  readonly host: 'localhost' | IpAddress;
  /** UDP and TCP. @default 15053 */
  readonly port: number;
  /** Of services with one hostname, those of this namespace come before the first; "" for none. @default '' */
  readonly preferredNamespace: string;
};

export type TunnelConfig = {
  /** @default framed */
  readonly engine: EngineName;
  /** Bytes. @default 4 MiB */
  readonly streamWindow: number;
  /** Bytes. @default 16 MiB */
  readonly connectionWindow: number;
  /** Bytes. @default 1 MiB */
  readonly maxFrame: number;
  /** Streams on one pooled connection. @default 100 */
  readonly poolMaxStreams: number;
  /** Idle time after which the pool lets a connection go, milliseconds. @default 5 minutes */
  readonly poolReleaseMs: number;
  /** @default true */
  readonly responseBaggage: boolean;
};

export type NodeConfig = {
  readonly name: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly instanceIp: IpAddress;
};

export type ZtunnelConfig = {
  /** Absent: no control plane, so no pod is ever served. */
  readonly xds?: RemoteConfig;
  /** Absent: no certificates, so no tunnel is ever made. */
  readonly ca?: RemoteConfig;
  /** Path of the token file, or the token itself; re-read for each request. */
  readonly authToken: string;
  /** Lifetime asked for each workload certificate, milliseconds. @default 24 hours */
  readonly certificateTtlMs: number;
  /** Further roots, and revocation lists. @default none */
  readonly trust: PeerTrustOptions;
  /** Ask the control plane for what connections need instead of everything. @default false */
  readonly onDemand: boolean;
  readonly node: NodeConfig;
  readonly clusterId: string;
  readonly clusterDomain: string;
  /** "" where the mesh has one network only. */
  readonly network: string;
  readonly trustDomain: string;
  readonly capture: CaptureConfig;
  /** Absent: pods have no DNS proxy. */
  readonly dns?: DnsConfig;
  readonly tunnel: TunnelConfig;
  readonly log: LogConfig;
  /** Decisions of policy at info rather than debug. @default false */
  readonly policyInfoLogging: boolean;
  /** Time live connections get after SIGTERM, milliseconds. @default 5 s */
  readonly terminationDeadlineMs: number;
};

const defaultIp = parseIp('1.1.1.1');
const mebibyte = 1024 * 1024;

/** The whole configuration, or a MESH-CONFIG-003 that names every unusable variable. */
export function readConfig(env: Environment): ZtunnelConfig {
  const reader = new EnvironmentReader(env);
  refuseUnsupported(reader);
  const xds = readRemote(reader, 'XDS');
  const ca = readRemote(reader, 'CA');
  const dns = readDns(reader);
  const config: ZtunnelConfig = {
    ...(xds === undefined ? {} : { xds }),
    ...(ca === undefined ? {} : { ca }),
    authToken: reader.text('AUTH_TOKEN', './var/run/secrets/tokens/istio-token'),
    certificateTtlMs: reader.durationMs('SECRET_TTL', 24 * 3_600_000),
    trust: readTrust(reader),
    onDemand: readOnDemand(reader, dns),
    node: node(reader),
    clusterId: reader.text('CLUSTER_ID', reader.text('ISTIO_META_CLUSTER_ID', 'Kubernetes')),
    clusterDomain: reader.text('CLUSTER_DOMAIN', 'cluster.local'),
    network: reader.text('NETWORK', ''),
    trustDomain: reader.text('TRUST_DOMAIN', 'cluster.local'),
    capture: capture(reader),
    ...(dns === undefined ? {} : { dns }),
    tunnel: tunnel(reader),
    log: readLogConfig(reader),
    policyInfoLogging: reader.boolean('AUTHZ_POLICY_INFO_LOGGING', false),
    terminationDeadlineMs: readTerminationDeadline(reader),
  };
  reader.finish();
  return config;
}

/** Options whose silent absence would be a surprise, such as a mode that nobody serves. */
function refuseUnsupported(reader: EnvironmentReader): void {
  if (reader.text('PROXY_MODE', 'shared') !== 'shared') reader.reject('PROXY_MODE', 'only shared is served; unset it');
  if (reader.text('COMPLIANCE_POLICY', '') !== '')
    reader.reject(
      'COMPLIANCE_POLICY',
      'suites and groups cannot be narrowed; unset it (TLS 1.3 with X25519MLKEM768 first is what is offered)',
    );
  for (const name of ['TLS12_ENABLED', 'FAKE_CA', 'UNSTABLE_ENABLE_SOCKS5']) {
    if (reader.boolean(name, false)) reader.reject(name, 'this is not offered; unset it');
  }
  if (reader.text('LOCAL_XDS_PATH', reader.text('LOCAL_XDS', '')) !== '') {
    reader.reject(
      reader.raw('LOCAL_XDS_PATH') === undefined ? 'LOCAL_XDS' : 'LOCAL_XDS_PATH',
      'serve the same objects from the control plane’s --directory',
    );
  }
}

function node(reader: EnvironmentReader): NodeConfig {
  const name = reader.text('NODE_NAME', '');
  if (name === '') reader.reject('NODE_NAME', 'set it to the name of this node; certificates are fetched for its pods only');
  if (defaultIp === undefined) throw new Error('unreachable: 1.1.1.1 is an address');
  return {
    name,
    podName: reader.text('POD_NAME', 'ztunnel'),
    podNamespace: reader.text('POD_NAMESPACE', 'clearmesh-system'),
    instanceIp: reader.ip('INSTANCE_IP', defaultIp),
  };
}

function capture(reader: EnvironmentReader): CaptureConfig {
  const source = reader.text('ENABLE_ORIG_SRC', '');
  if (!['', 'true', 'false'].includes(source))
    reader.reject('ENABLE_ORIG_SRC', 'set it to true (required) or false (off), or unset it (best effort)');
  const socketPath = reader.text('INPOD_UDS', '/var/run/ztunnel/ztunnel.sock');
  // sun_path holds 108 bytes with its final NUL (unix(7)).
  if (Buffer.byteLength(socketPath) > 107) reader.reject('INPOD_UDS', 'set it to a path of at most 107 bytes');
  return {
    socketPath,
    packetMark: reader.integer('PACKET_MARK', 1337, { min: 1, max: 0xffff_ffff }),
    originalSource: source === 'true' ? 'required' : source === 'false' ? 'off' : 'best-effort',
    reusePort: reader.boolean('INPOD_PORT_REUSE', true),
    ipv6: reader.boolean('IPV6_ENABLED', true),
  };
}

/** On unless switched off: without redirection nobody asks it, and a redirection without it would leave a pod without names. */
function readDns(reader: EnvironmentReader): DnsConfig | undefined {
  const isOn = reader.boolean('ISTIO_META_DNS_CAPTURE', true);
  const where = reader.text('DNS_PROXY_ADDR', 'localhost:15053');
  const colon = where.lastIndexOf(':');
  const host = where.slice(0, colon).replace(/^\[(.*:.*)\]$/, '$1');
  const ip = host === 'localhost' ? host : parseIp(host);
  const port = /^\d+$/.test(where.slice(colon + 1)) ? Number(where.slice(colon + 1)) : 0;
  if (ip === undefined || port < 1 || port > 65_535)
    reader.reject('DNS_PROXY_ADDR', 'set it to localhost:PORT, IP:PORT or [IPV6]:PORT');
  if (!isOn || ip === undefined) return undefined;
  return { host: ip, port, preferredNamespace: reader.text('PREFERED_SERVICE_NAMESPACE', '') };
}

/** Names are answered from the whole mesh, which is not there on demand: some would be, and others would leave by other ways. */
function readOnDemand(reader: EnvironmentReader, dns: DnsConfig | undefined): boolean {
  const isOn = reader.boolean('XDS_ON_DEMAND', false);
  if (isOn && dns !== undefined)
    reader.reject(
      'XDS_ON_DEMAND',
      'set ISTIO_META_DNS_CAPTURE to false with it, or unset it; the DNS proxy needs the whole mesh',
    );
  return isOn;
}

function tunnel(reader: EnvironmentReader): TunnelConfig {
  // Window sizes: RFC 9113 section 6.9.1; frame sizes: section 4.2.
  const window = { min: 65_535, max: 0x7fff_ffff };
  return {
    engine: readEngineName(reader),
    streamWindow: reader.integer('HTTP2_STREAM_WINDOW_SIZE', 4 * mebibyte, window),
    connectionWindow: reader.integer('HTTP2_CONNECTION_WINDOW_SIZE', 16 * mebibyte, window),
    maxFrame: reader.integer('HTTP2_FRAME_SIZE', mebibyte, { min: 16_384, max: 16_777_215 }),
    poolMaxStreams: reader.integer('POOL_MAX_STREAMS_PER_CONNECTION', 100, { min: 1, max: 65_535 }),
    poolReleaseMs: reader.durationMs('POOL_UNUSED_RELEASE_TIMEOUT', 300_000),
    responseBaggage: reader.boolean('ENABLE_RESPONSE_BAGGAGE', true),
  };
}
