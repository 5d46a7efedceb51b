import { expect } from 'chai';
import { describe, it } from 'mocha';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { readConfig } from '../src/config.ts';
import type { ZtunnelConfig } from '../src/config.ts';

const base = { NODE_NAME: 'node-a' };

describe('readConfig', () => {
  it('gives the contract’s defaults when only the node is named', () => {
    const config = readConfig(base);
    expect(config).to.deep.include({
      clusterId: 'Kubernetes',
      network: '',
      trustDomain: 'cluster.local',
      terminationDeadlineMs: 5_000,
    });
    expect(config.capture).to.deep.equal({
      socketPath: '/var/run/ztunnel/ztunnel.sock',
      packetMark: 1337,
      originalSource: 'best-effort',
      reusePort: true,
      ipv6: true,
      keepAlive: { probing: true, idleSeconds: 180, intervalSeconds: 180, probes: 9, userTimeout: false },
      connections: true,
      socks: false,
    });
    expect(config.tunnel).to.deep.equal({
      engine: 'framed',
      streamWindow: 4_194_304,
      connectionWindow: 16_777_216,
      maxFrame: 1_048_576,
      poolMaxStreams: 100,
      poolReleaseMs: 300_000,
      responseBaggage: true,
      localhostAppTunnel: true,
    });
    expect(config.ports).to.deep.equal({ admin: 15_000, stats: 15_020 });
    expect(config.dns).to.deep.equal({ host: 'localhost', port: 15_053, preferredNamespace: '', cacheEntries: 1_024 });
    expect(config.xds).to.deep.equal({
      url: 'https://localhost:15012',
      root: './var/run/secrets/istio/root-cert.pem',
    });
  });

  it('switches a service off when its address is set but empty', () => {
    expect(readConfig({ ...base, CA_ADDRESS: '' })).not.to.have.property('ca');
  });

  const accepted: readonly [string, Record<string, string>, (config: ZtunnelConfig) => unknown, unknown][] = [
    ['a duration in parts', { CONNECTION_TERMINATION_DEADLINE: '1m30s' }, (c) => c.terminationDeadlineMs, 90_000],
    ['a grace period of 30 s', { TERMINATION_GRACE_PERIOD_SECONDS: '30' }, (c) => c.terminationDeadlineMs, 25_000],
    ['a grace period of 8 s', { TERMINATION_GRACE_PERIOD_SECONDS: '8' }, (c) => c.terminationDeadlineMs, 7_000],
    ['a grace period of 1 s', { TERMINATION_GRACE_PERIOD_SECONDS: '1' }, (c) => c.terminationDeadlineMs, 1_000],
    [
      'a deadline before a grace period',
      { CONNECTION_TERMINATION_DEADLINE: '3s', TERMINATION_GRACE_PERIOD_SECONDS: '30' },
      (c) => c.terminationDeadlineMs,
      3_000,
    ],
    ['no DNS proxy', { ISTIO_META_DNS_CAPTURE: 'false' }, (c) => c.dns, undefined],
    ['a DNS proxy that is asked for', { ISTIO_META_DNS_CAPTURE: 'true' }, (c) => c.dns?.port, 15_053],
    ['a DNS proxy elsewhere', { DNS_PROXY_ADDR: '127.0.0.53:5353' }, (c) => [c.dns?.host, c.dns?.port], ['127.0.0.53', 5_353]],
    ['a DNS proxy at an IPv6 address', { DNS_PROXY_ADDR: '[::1]:53' }, (c) => [c.dns?.host, c.dns?.port], ['::1', 53]],
    ['a DNS proxy of proxy metadata', { ISTIO_META_DNS_PROXY_ADDR: 'localhost:5353' }, (c) => c.dns?.port, 5_353],
    ['a number of DNS answers', { DNS_CACHE_ENTRIES: '4096' }, (c) => c.dns?.cacheEntries, 4_096],
    ['no memory of DNS answers', { DNS_CACHE_ENTRIES: '0' }, (c) => c.dns?.cacheEntries, 0],
    ['ports of the process', { PROXY_ADMIN_PORT: '1', STATS_PORT: '2' }, (c) => c.ports, { admin: 1, stats: 2 }],
    ['a preferred namespace', { PREFERED_SERVICE_NAMESPACE: 'shared' }, (c) => c.dns?.preferredNamespace, 'shared'],
    ['neither roots nor lists of its own', {}, (c) => c.trust, {}],
    [
      'files of roots and of revocation lists',
      { TRUST_BUNDLE_PATH: '/r.pem', CRL_PATH: '/c.pem' },
      (c) => c.trust,
      { rootsPath: '/r.pem', crlPath: '/c.pem' },
    ],
    [
      'a local configuration instead of a control plane',
      { LOCAL_XDS_PATH: '/m.yaml', XDS_ADDRESS: '' },
      (c) => [c.local, c.xds],
      [{ kind: 'file', path: '/m.yaml' }, undefined],
    ],
    [
      'in a cluster the control plane’s name there',
      { KUBERNETES_SERVICE_HOST: '10.96.0.1' },
      (c) => [c.xds?.url, c.ca?.url],
      ['https://istiod.istio-system.svc:15012', 'https://istiod.istio-system.svc:15012'],
    ],
    ['a local configuration as text', { LOCAL_XDS: '{}' }, (c) => [c.local, c.xds], [{ kind: 'text', text: '{}' }, undefined]],
    [
      'certificates of its own for a test',
      { FAKE_CA: 'true', ALLOW_FAKE_CA: 'true', FAKE_CA_DIRECTORY: '/ca' },
      (c) => [c.selfMadeCa, c.ca],
      [{ directory: '/ca' }, undefined],
    ],
    ['a hexadecimal mark', { PACKET_MARK: '0x539' }, (c) => c.capture.packetMark, 1337],
    [
      'another patience with silent peers',
      {
        KEEPALIVE_ENABLED: 'false',
        KEEPALIVE_TIME: '1m30s',
        KEEPALIVE_INTERVAL: '1s',
        KEEPALIVE_RETRIES: '3',
        USER_TIMEOUT_ENABLED: 'true',
      },
      (c) => c.capture.keepAlive,
      { probing: false, idleSeconds: 90, intervalSeconds: 1, probes: 3, userTimeout: true },
    ],
    ['names only', { ENABLE_PROXY: 'false' }, (c) => c.capture.connections, false],
    ['application tunnels at the pod’s address', { LOCALHOST_APP_TUNNEL: 'false' }, (c) => c.tunnel.localhostAppTunnel, false],
    ['TLS 1.2', { TLS12_ENABLED: 'true' }, (c) => c.tls.tls12, true],
    ['post-quantum keys alone', { COMPLIANCE_POLICY: 'pqc' }, (c) => c.tls.keyExchange, 'post-quantum'],
    ['threads by number', { ZTUNNEL_WORKER_THREADS: '4' }, (c) => c.workerThreads, '4'],
    ['threads by share', { ZTUNNEL_WORKER_THREADS: '12.5%' }, (c) => c.workerThreads, '12.5%'],
    ['a required source', { ENABLE_ORIG_SRC: 'true' }, (c) => c.capture.originalSource, 'required'],
    ['the engine of node:http2', { TUNNEL_ENGINE: 'node' }, (c) => c.tunnel.engine, 'node'],
    ['applications that ask by SOCKS5', { UNSTABLE_ENABLE_SOCKS5: 'true' }, (c) => c.capture.socks, true],
    ['no source', { ENABLE_ORIG_SRC: 'false' }, (c) => c.capture.originalSource, 'off'],
    ['the cluster from proxy metadata', { ISTIO_META_CLUSTER_ID: 'cl-2' }, (c) => c.clusterId, 'cl-2'],
    [
      'the cluster’s own variable before proxy metadata',
      { CLUSTER_ID: 'cl-1', ISTIO_META_CLUSTER_ID: 'cl-2' },
      (c) => c.clusterId,
      'cl-1',
    ],
    ['answers without baggage', { ENABLE_RESPONSE_BAGGAGE: 'false' }, (c) => c.tunnel.responseBaggage, false],
    [
      'a log filter',
      { RUST_LOG: 'warn,access=debug' },
      (c) => [c.log.filter.level, [...c.log.filter.scopes]],
      ['warn', [['access', 'debug']]],
    ],
    [
      'an IPv6 address of a control plane',
      { XDS_ADDRESS: 'https://[fd00::1]:15012' },
      (c) => c.xds?.url,
      'https://[fd00::1]:15012',
    ],
  ];
  for (const [title, env, pick, expected] of accepted) {
    it(`accepts ${title}`, () => expect(pick(readConfig({ ...base, ...env }))).to.deep.equal(expected));
  }

  const rejected: readonly [string, string][] = [
    ['NODE_NAME', ''],
    ['PACKET_MARK', '0'],
    ['PACKET_MARK', '12monkeys'],
    ['ENABLE_ORIG_SRC', 'maybe'],
    ['IPV6_ENABLED', 'yes'],
    ['XDS_ADDRESS', 'http://plain:15012'],
    ['CA_ADDRESS', 'https://host:15012/path'],
    ['INSTANCE_IP', '10.0.0.1:80'],
    ['INPOD_UDS', `/${'x'.repeat(107)}`],
    ['ISTIO_META_DNS_CAPTURE', 'on'],
    ['ISTIO_META_DNS_PROXY_ADDR', '15053'],
    ['STATS_PORT', '0'],
    ['DNS_PROXY_ADDR', '15053'],
    ['DNS_PROXY_ADDR', 'localhost:0'],
    ['DNS_PROXY_ADDR', 'dns.example:53'],
    ['DNS_CACHE_ENTRIES', '-1'],
    ['DNS_CACHE_ENTRIES', '65537'],
    ['HTTP2_FRAME_SIZE', '16383'],
    ['HTTP2_STREAM_WINDOW_SIZE', '2147483648'],
    ['TUNNEL_ENGINE', 'nghttp2'],
    ['CONNECTION_TERMINATION_DEADLINE', '5'],
    ['SECRET_TTL', '30d'],
    ['LOG_FORMAT', 'xml'],
    ['RUST_LOG', 'loud'],
    ['PROXY_MODE', 'sidecar'],
    ['COMPLIANCE_POLICY', 'fips-140-2'],
    ['FAKE_CA', 'true'],
    ['ZTUNNEL_WORKER_THREADS', 'all'],
    ['ZTUNNEL_WORKER_THREADS', '0%'],
    ['ZTUNNEL_WORKER_THREADS', '101%'],
    ['KEEPALIVE_TIME', '500ms'],
    ['KEEPALIVE_TIME', '32768s'],
    ['KEEPALIVE_INTERVAL', '0s'],
    ['KEEPALIVE_RETRIES', '128'],
  ];
  for (const [name, value] of rejected) {
    it(`rejects ${name}=${value.slice(0, 30)} by name, value and remedy`, () => {
      expect(() => readConfig({ ...base, [name]: value }))
        .to.throw(MeshError)
        .that.satisfies(
          (error: MeshError) => error.code === 'MESH-CONFIG-003' && error.message.includes(`${name}=${JSON.stringify(value)}: `),
        );
    });
  }

  const contradictory: readonly [string, Record<string, string>, RegExp][] = [
    ['a proxy of nothing', { ENABLE_PROXY: 'false', ISTIO_META_DNS_CAPTURE: 'false' }, /ENABLE_PROXY="false": .*nothing left/],
    [
      'a user timeout that the kernel cannot hold',
      { USER_TIMEOUT_ENABLED: 'true', KEEPALIVE_INTERVAL: '32767s', KEEPALIVE_RETRIES: '127' },
      /USER_TIMEOUT_ENABLED="true": .*smaller/,
    ],
    ['two local configurations', { LOCAL_XDS_PATH: '/m.yaml', LOCAL_XDS: '{}' }, /LOCAL_XDS="{}": set one of/],
    [
      'a local configuration and a control plane',
      { LOCAL_XDS: '{}', XDS_ADDRESS: 'https://istiod:15012' },
      /XDS_ADDRESS=.*instead of a control plane/,
    ],
    [
      'certificates of its own and an authority',
      { FAKE_CA: 'true', ALLOW_FAKE_CA: 'true', CA_ADDRESS: 'https://istiod:15012' },
      /CA_ADDRESS=.*FAKE_CA asks no/,
    ],
    ['names of a mesh that is asked for on demand', { XDS_ON_DEMAND: 'true' }, /set ISTIO_META_DNS_CAPTURE to false with it/],
    [
      '… and SOCKS5, which has names as well',
      { XDS_ON_DEMAND: 'true', ISTIO_META_DNS_CAPTURE: 'false', UNSTABLE_ENABLE_SOCKS5: 'true' },
      /1 unusable.*XDS_ON_DEMAND="true": .*UNSTABLE_ENABLE_SOCKS5/,
    ],
    [
      '… and a local configuration, which is all there is',
      { XDS_ON_DEMAND: 'true', ISTIO_META_DNS_CAPTURE: 'false', LOCAL_XDS: '{}' },
      /1 unusable.*XDS_ON_DEMAND="true": .*local configuration/,
    ],
  ];
  for (const [title, env, message] of contradictory) {
    it(`rejects ${title}`, () => expect(() => readConfig({ ...base, ...env })).to.throw(MeshError, message));
  }

  it('asks for the mesh on demand where pods have no DNS proxy', () => {
    expect(readConfig(base).onDemand).to.equal(false);
    expect(readConfig({ ...base, XDS_ON_DEMAND: 'true', ISTIO_META_DNS_CAPTURE: 'false' }).onDemand).to.equal(true);
  });

  it('names every unusable variable at once', () => {
    expect(() => readConfig({ PACKET_MARK: 'x', LOG_FORMAT: 'y' })).to.throw(/3 unusable.*NODE_NAME.*PACKET_MARK.*LOG_FORMAT/);
  });
});
