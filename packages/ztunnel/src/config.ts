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
import { readOperation } from './operation-environment.ts';
import type { OperationConfig } from './operation-environment.ts';
import { readTrust } from '@clearmesh/shared/certificates/trust-environment';
import { readTlsPolicy } from '@clearmesh/shared/tls/tls-environment';
import type { TlsPolicy } from '@clearmesh/shared/tls/tls-policy';
import { readLogConfig } from '@clearmesh/shared/observe/log-environment';
import type { LogConfig } from '@clearmesh/shared/observe/log-environment';
import { readTerminationDeadline } from '@clearmesh/shared/lifecycle/termination-environment';
import { readEngineName } from '@clearmesh/shared/tunnel/engine-choice';
import type { EngineName } from '@clearmesh/shared/tunnel/engine-choice';
import { readProxyMode } from './proxy-mode.ts';
import type { ProxyMode } from './proxy-mode.ts';
import { EnvironmentReader } from '@clearmesh/shared/lifecycle/environment';
import type { Environment } from '@clearmesh/shared/lifecycle/environment';
import type { KeepAlive } from '@clearmesh/linux/socket-options';
import { readKeepAlive } from './capture/keep-alive-environment.ts';
import { readWorkerThreads } from './process-limits.ts';
import { readLocalSource, readSelfMadeCa } from './local/local-environment.ts';
import type { LocalSource, SelfMadeCa } from './local/local-environment.ts';

export type CaptureConfig = {
  /** The node agent's socket. @default /var/run/ztunnel/ztunnel.sock */
  readonly socketPath: string;
  /** SO_MARK of every socket of the proxy; absent: none. @default 1337, and none for a proxy of one workload */
  readonly packetMark?: number;
  /** Whether the application sees the client's own address. @default best-effort */
  readonly originalSource: 'required' | 'best-effort' | 'off';
  /** SO_REUSEPORT on pod listeners, so that an upgrade can overlap. @default true */
  readonly reusePort: boolean;
  /** Listen on [::] rather than 0.0.0.0. @default true */
  readonly ipv6: boolean;
  /** Of all TCP sockets but accepted tunnels, which have PINGs. @default 180 s, 180 s, 9 probes */
  readonly keepAlive: KeepAlive;
  /** Carry connections; without, pods have their DNS proxy and nothing else. @default true */
  readonly connections: boolean;
  /** Whether applications may ask for connections by SOCKS5. @default false */
  readonly socks: boolean;
};

export type DnsConfig = {
  /** Where it listens in each pod; `localhost` is 127.0.0.1, and ::1 where the pod has it. @default localhost */
  readonly host: 'localhost' | IpAddress;
  /** UDP and TCP. @default 15053 */
  readonly port: number;
  /** Of services with one hostname, those of this namespace come before the first; "" for none. @default '' */
  readonly preferredNamespace: string;
  /** Answers of other resolvers kept for each pod; 0: none. @default 1 024 */
  readonly cacheEntries: number;
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
  /** An application behind a PROXY header is reached over loopback. @default true */
  readonly localhostAppTunnel: boolean;
};

export type NodeConfig = {
  readonly name: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly instanceIp: IpAddress;
};

export type ProcessPorts = {
  /** On loopback. @default 15000 */
  readonly admin: number;
  /** @default 15020 */
  readonly stats: number;
};

export type ZtunnelConfig = {
  /** @default shared */
  readonly mode: ProxyMode;
  /** Absent: no control plane, so no pod is ever served, unless there is a local configuration. */
  readonly xds?: RemoteConfig;
  /** Read instead of a control plane. */
  readonly local?: LocalSource;
  /** Absent: no certificates, so no tunnel is ever made. */
  readonly ca?: RemoteConfig;
  /** For tests, instead of `ca`. */
  readonly selfMadeCa?: SelfMadeCa;
  /** Path of the token file, or the token itself; re-read for each request. */
  readonly authToken: string;
  /** Lifetime asked for each workload certificate, milliseconds. @default 24 hours */
  readonly certificateTtlMs: number;
  /** Further roots, and revocation lists. @default none */
  readonly trust: PeerTrustOptions;
  /** Of tunnels, and of connections to the control plane. @default TLS 1.3, any key exchange */
  readonly tls: TlsPolicy;
  /** Ask the control plane for what connections need instead of everything. @default false */
  readonly onDemand: boolean;
  readonly node: NodeConfig;
  /** Ports of the process itself; those in pods are fixed. */
  readonly ports: ProcessPorts;
  readonly clusterId: string;
  readonly clusterDomain: string;
  /** "" where the mesh has one network only. */
  readonly network: string;
  readonly trustDomain: string;
  readonly capture: CaptureConfig;
  /** Absent: pods have no DNS proxy. */
  readonly dns?: DnsConfig;
  readonly tunnel: TunnelConfig;
  /** Asked for, and not obeyed: see process-limits.ts. */
  readonly workerThreads?: string;
  readonly log: LogConfig;
  readonly operation: OperationConfig;
  /** Decisions of policy at info rather than debug. @default false */
  readonly policyInfoLogging: boolean;
  /** Time live connections get after SIGTERM, milliseconds. @default 5 s */
  readonly terminationDeadlineMs: number;
};

const defaultIp = parseIp('1.1.1.1');
const anyPort = { min: 1, max: 65_535 };
const mebibyte = 1024 * 1024;

/** The whole configuration, or a MESH-CONFIG-003 that names every unusable variable. */
export function readConfig(env: Environment): ZtunnelConfig {
  const reader = new EnvironmentReader(env);
  const mode = readProxyMode(reader);
  const local = readLocalSource(reader);
  const selfMadeCa = readSelfMadeCa(reader);
  const xds = local === undefined ? readRemote(reader, 'XDS') : undefined;
  const ca = selfMadeCa === undefined ? readRemote(reader, 'CA') : undefined;
  const dns = readDns(reader);
  const workerThreads = readWorkerThreads(reader);
  const config: ZtunnelConfig = {
    mode,
    ...(xds === undefined ? {} : { xds }),
    ...(local === undefined ? {} : { local }),
    ...(ca === undefined ? {} : { ca }),
    ...(selfMadeCa === undefined ? {} : { selfMadeCa }),
    authToken: reader.text('AUTH_TOKEN', './var/run/secrets/tokens/istio-token'),
    certificateTtlMs: reader.durationMs('SECRET_TTL', 24 * 3_600_000),
    trust: readTrust(reader),
    tls: readTlsPolicy(reader),
    onDemand: reader.boolean('XDS_ON_DEMAND', false),
    node: node(reader, mode),
    ports: { admin: reader.integer('PROXY_ADMIN_PORT', 15_000, anyPort), stats: reader.integer('STATS_PORT', 15_020, anyPort) },
    clusterId: reader.text('CLUSTER_ID', reader.text('ISTIO_META_CLUSTER_ID', 'Kubernetes')),
    clusterDomain: reader.text('CLUSTER_DOMAIN', 'cluster.local'),
    network: reader.text('NETWORK', ''),
    trustDomain: reader.text('TRUST_DOMAIN', 'cluster.local'),
    capture: capture(reader, mode),
    ...(dns === undefined ? {} : { dns }),
    tunnel: tunnel(reader),
    ...(workerThreads === undefined ? {} : { workerThreads }),
    log: readLogConfig(reader),
    operation: readOperation(reader),
    policyInfoLogging: reader.boolean('AUTHZ_POLICY_INFO_LOGGING', false),
    terminationDeadlineMs: readTerminationDeadline(reader),
  };
  if (!config.capture.connections && config.dns === undefined)
    reader.reject('ENABLE_PROXY', 'without the DNS proxy there is nothing left to serve; unset it');
  checkOnDemand(reader, config);
  reader.finish();
  return config;
}

/** A proxy of one workload goes by that workload's name: its token is of that account. */
function node(reader: EnvironmentReader, mode: ProxyMode): NodeConfig {
  const name = reader.text('NODE_NAME', '');
  const own = mode.kind === 'dedicated' ? mode.workload : { name: 'ztunnel', namespace: 'clearmesh-system' };
  if (name === '' && mode.kind === 'shared')
    reader.reject('NODE_NAME', 'set it to the name of this node; certificates are fetched for its pods only');
  if (defaultIp === undefined) throw new Error('unreachable: 1.1.1.1 is an address');
  return {
    name,
    podName: reader.text('POD_NAME', own.name),
    podNamespace: reader.text('POD_NAMESPACE', own.namespace),
    instanceIp: reader.ip('INSTANCE_IP', defaultIp),
  };
}

function capture(reader: EnvironmentReader, mode: ProxyMode): CaptureConfig {
  const source = reader.text('ENABLE_ORIG_SRC', '');
  if (!['', 'true', 'false'].includes(source))
    reader.reject('ENABLE_ORIG_SRC', 'set it to true (required) or false (off), or unset it (best effort)');
  const socketPath = reader.text('INPOD_UDS', '/var/run/ztunnel/ztunnel.sock');
  // sun_path holds 108 bytes with its final NUL (unix(7)).
  if (Buffer.byteLength(socketPath) > 107) reader.reject('INPOD_UDS', 'set it to a path of at most 107 bytes');
  const packetMark = reader.integer('PACKET_MARK', 1337, { min: 1, max: 0xffff_ffff });
  const isMarked = mode.kind === 'shared' || reader.text('PACKET_MARK', '') !== '';
  return {
    socketPath,
    ...(isMarked ? { packetMark } : {}),
    originalSource: source === 'true' ? 'required' : source === 'false' ? 'off' : 'best-effort',
    reusePort: reader.boolean('INPOD_PORT_REUSE', true),
    ipv6: reader.boolean('IPV6_ENABLED', true),
    keepAlive: readKeepAlive(reader),
    connections: reader.boolean('ENABLE_PROXY', true),
    socks: reader.boolean('UNSTABLE_ENABLE_SOCKS5', false),
  };
}

/** On unless switched off: without redirection nobody asks it, and a redirection without it would leave a pod without names. */
function readDns(reader: EnvironmentReader): DnsConfig | undefined {
  const isOn = reader.boolean('ISTIO_META_DNS_CAPTURE', true);
  // Upstream has it in proxy metadata only.
  const name = reader.text('DNS_PROXY_ADDR', '') === '' ? 'ISTIO_META_DNS_PROXY_ADDR' : 'DNS_PROXY_ADDR';
  const where = reader.text(name, 'localhost:15053');
  const colon = where.lastIndexOf(':');
  const host = where.slice(0, colon).replace(/^\[(.*:.*)\]$/, '$1');
  const ip = host === 'localhost' ? host : parseIp(host);
  const port = /^\d+$/.test(where.slice(colon + 1)) ? Number(where.slice(colon + 1)) : 0;
  if (ip === undefined || port < 1 || port > 65_535) reader.reject(name, 'set it to localhost:PORT, IP:PORT or [IPV6]:PORT');
  const cacheEntries = reader.integer('DNS_CACHE_ENTRIES', 1_024, { min: 0, max: 65_536 });
  if (!isOn || ip === undefined) return undefined;
  return { host: ip, port, preferredNamespace: reader.text('PREFERED_SERVICE_NAMESPACE', ''), cacheEntries };
}

/** Names are answered from the whole mesh, which is not there on demand: some would be, and others would leave by other ways. */
function checkOnDemand(reader: EnvironmentReader, { onDemand, dns, local, capture: { socks } }: ZtunnelConfig): void {
  if (!onDemand) return;
  const reject = (remedy: string): void => reader.reject('XDS_ON_DEMAND', remedy);
  if (dns !== undefined) reject('set ISTIO_META_DNS_CAPTURE to false with it, or unset it; the DNS proxy needs the whole mesh');
  if (socks) reject('unset it, or UNSTABLE_ENABLE_SOCKS5; what names mean to SOCKS5 clients needs the whole mesh');
  if (local !== undefined) reject('unset it; a local configuration is the whole mesh, and nobody is asked');
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
    localhostAppTunnel: reader.boolean('LOCALHOST_APP_TUNNEL', true),
  };
}
