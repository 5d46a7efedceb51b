import { expect } from 'chai';
import { describe, it } from 'mocha';
import { envoyArguments, envoyConfig } from '../paths/envoy-config.ts';
import type { EnvoyHop } from '../paths/envoy-config.ts';
import { envoyFolder, envoyVersion } from '../paths/envoy-install.ts';

const hop: EnvoyHop = {
  listen: { ip: '127.0.0.1', port: 9081 },
  upstream: { ip: '10.0.0.1', port: 8080 },
  accessLog: '/dev/null',
};

const tls = { certificate: '/c.pem', key: '/k.pem', authority: '/r.pem', peer: 'spiffe://cluster.local/ns/a/sa/b' };

type Fields = { readonly [name: string]: unknown };

/** The value at a path of names and indexes. */
function at(document: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce((value, name) => (value as Fields | undefined)?.[name], document);
}

const chain = ['static_resources', 'listeners', 0, 'filter_chains', 0] as const;
const cluster = ['static_resources', 'clusters', 0] as const;
const endpoint = ['load_assignment', 'endpoints', 0, 'lb_endpoints', 0, 'endpoint', 'address', 'socket_address'] as const;

describe('the configuration of Envoy', () => {
  it('has one listener and one upstream, without TLS where none is asked for', () => {
    const config = envoyConfig(hop);
    expect(at(config, 'static_resources', 'listeners', 0, 'address', 'socket_address')).to.deep.equal({
      address: '127.0.0.1',
      port_value: 9081,
    });
    expect(at(config, ...cluster, ...endpoint)).to.deep.equal({ address: '10.0.0.1', port_value: 8080 });
    expect(at(config, ...chain, 'transport_socket')).to.equal(undefined);
    expect(at(config, ...cluster, 'transport_socket')).to.equal(undefined);
    expect(at(config, ...cluster, 'typed_extension_protocol_options')).to.equal(undefined);
  });

  it('writes an access log, as the waypoint does', () => {
    const manager = at(envoyConfig(hop), ...chain, 'filters', 0, 'typed_config');
    expect(at(manager, 'access_log', 0, 'typed_config', 'path')).to.equal('/dev/null');
  });

  it('demands TLS 1.3 and the one peer on both sides of a pair', () => {
    const outbound = at(envoyConfig({ ...hop, upstreamTls: tls }), ...cluster, 'transport_socket', 'typed_config');
    const inbound = at(envoyConfig({ ...hop, downstreamTls: tls }), ...chain, 'transport_socket', 'typed_config');
    expect(at(inbound, 'require_client_certificate')).to.equal(true);
    for (const side of [outbound, inbound]) {
      const common = at(side, 'common_tls_context');
      expect(at(common, 'tls_params', 'tls_minimum_protocol_version')).to.equal('TLSv1_3');
      expect(at(common, 'validation_context', 'match_typed_subject_alt_names', 0)).to.deep.equal({
        san_type: 'URI',
        matcher: { exact: tls.peer },
      });
    }
  });

  it('speaks HTTP/2 between the two of a pair', () => {
    const options = at(envoyConfig({ ...hop, upstreamTls: tls }), ...cluster, 'typed_extension_protocol_options');
    const http = at(options, 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions', 'explicit_http_config');
    expect(http).to.have.property('http2_protocol_options');
  });

  it('marks what goes out where a redirection must let it pass', () => {
    const options = at(envoyConfig({ ...hop, mark: 1337 }), ...cluster, 'upstream_bind_config', 'socket_options', 0);
    expect(options).to.include({ level: 1, name: 36, int_value: 1337 });
  });

  it('has one worker', () => {
    expect(envoyArguments.join(' ')).to.include('--concurrency 1');
  });

  it('is kept in the cache of the user, by version', () => {
    expect(envoyFolder({}, '/home/a')).to.equal(`/home/a/.cache/clearmesh/envoy-${envoyVersion}`);
    expect(envoyFolder({ XDG_CACHE_HOME: '' }, '/home/a')).to.equal(`/home/a/.cache/clearmesh/envoy-${envoyVersion}`);
    expect(envoyFolder({ XDG_CACHE_HOME: '/c' }, '/home/a')).to.equal(`/c/clearmesh/envoy-${envoyVersion}`);
  });
});
