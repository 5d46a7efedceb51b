/**
 * Envoy's static configurations, as JSON documents (Envoy API v3). Pure.
 *
 * It does what the waypoint does for every request: request id, statistics, and one JSON line in an access log.
 */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

type Place = { readonly ip: string; readonly port: number };

/** Certificates as files, and the one identity that the other side must prove. */
export type EnvoyTls = {
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
  /** SPIFFE id of the peer. */
  readonly peer: string;
};

export type EnvoyHop = {
  readonly listen: Place;
  readonly upstream: Place;
  /** File for the access log. */
  readonly accessLog: string;
  /** TLS 1.3 with a client certificate where callers come in. */
  readonly downstreamTls?: EnvoyTls;
  /** TLS 1.3 with HTTP/2 where requests go out. */
  readonly upstreamTls?: EnvoyTls;
  /** SO_MARK of what goes out, so that a redirection can let it pass. */
  readonly mark?: number;
};

/** One worker, and nothing that several Envoys on one machine would share. */
export const envoyArguments: readonly string[] = ['--concurrency', '1', '--log-level', 'error', '--disable-hot-restart'];

const types = 'type.googleapis.com/envoy.extensions';

/** A proxy with one listener and one upstream. */
export function envoyConfig(hop: EnvoyHop): Json {
  return {
    static_resources: {
      listeners: [
        {
          name: 'inbound',
          address: socketAddress(hop.listen),
          tcp_backlog_size: 4096,
          filter_chains: [
            {
              filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: connectionManager(hop) }],
              ...(hop.downstreamTls === undefined ? {} : { transport_socket: downstreamSocket(hop.downstreamTls) }),
            },
          ],
        },
      ],
      clusters: [cluster(hop)],
    },
  };
}

function connectionManager({ accessLog, downstreamTls }: EnvoyHop): Json {
  return {
    '@type': `${types}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'inbound',
    ...(downstreamTls === undefined
      ? {}
      : { forward_client_cert_details: 'SANITIZE_SET', set_current_client_cert_details: { uri: true } }),
    route_config: {
      virtual_hosts: [
        { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'upstream', timeout: '0s' } }] },
      ],
    },
    http_filters: [{ name: 'envoy.filters.http.router', typed_config: { '@type': `${types}.filters.http.router.v3.Router` } }],
    access_log: [{ name: 'envoy.access_loggers.file', typed_config: fileLog(accessLog) }],
  };
}

function cluster({ upstream, upstreamTls, mark }: EnvoyHop): Json {
  return {
    name: 'upstream',
    connect_timeout: '5s',
    load_assignment: {
      cluster_name: 'upstream',
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(upstream) } }] }],
    },
    ...(upstreamTls === undefined
      ? {}
      : { transport_socket: upstreamSocket(upstreamTls), typed_extension_protocol_options: http2 }),
    ...(mark === undefined ? {} : { upstream_bind_config: { socket_options: [socketMark(mark)] } }),
  };
}

const http2: Json = {
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    '@type': `${types}.upstreams.http.v3.HttpProtocolOptions`,
    explicit_http_config: { http2_protocol_options: {} },
  },
};

function downstreamSocket(tls: EnvoyTls): Json {
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${types}.transport_sockets.tls.v3.DownstreamTlsContext`,
      require_client_certificate: true,
      common_tls_context: commonTls(tls),
    },
  };
}

function upstreamSocket(tls: EnvoyTls): Json {
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: { '@type': `${types}.transport_sockets.tls.v3.UpstreamTlsContext`, common_tls_context: commonTls(tls) },
  };
}

function commonTls({ certificate, key, authority, peer }: EnvoyTls): Json {
  return {
    alpn_protocols: ['h2'],
    tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
    tls_certificates: [{ certificate_chain: { filename: certificate }, private_key: { filename: key } }],
    validation_context: {
      trusted_ca: { filename: authority },
      match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: peer } }],
    },
  };
}

/** The fields of the waypoint's own line that Envoy knows. */
function fileLog(path: string): Json {
  return {
    '@type': `${types}.access_loggers.file.v3.FileAccessLog`,
    path,
    log_format: {
      json_format: {
        ts: '%START_TIME%',
        request_id: '%REQ(X-REQUEST-ID)%',
        trace_id: '%REQ(TRACEPARENT)%',
        src_principal: '%DOWNSTREAM_PEER_URI_SAN%',
        src_addr: '%DOWNSTREAM_REMOTE_ADDRESS%',
        protocol: '%PROTOCOL%',
        method: '%REQ(:METHOD)%',
        authority: '%REQ(:AUTHORITY)%',
        path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
        route: '%ROUTE_NAME%',
        status: '%RESPONSE_CODE%',
        flags: '%RESPONSE_FLAGS%',
        details: '%RESPONSE_CODE_DETAILS%',
        attempts: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
        upstream_addr: '%UPSTREAM_HOST%',
        bytes_in: '%BYTES_RECEIVED%',
        bytes_out: '%BYTES_SENT%',
        duration: '%DURATION%',
        upstream_duration: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
        tls: '%DOWNSTREAM_TLS_VERSION%',
      },
    },
  };
}

function socketAddress({ ip, port }: Place): Json {
  return { socket_address: { address: ip, port_value: port } };
}

/** SOL_SOCKET, SO_MARK of asm-generic/socket.h. */
function socketMark(mark: number): Json {
  return { description: 'mark', level: 1, name: 36, int_value: mark, state: 'STATE_PREBIND' };
}
