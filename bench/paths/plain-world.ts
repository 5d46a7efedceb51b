/**
 * What a waypoint is told in the bench of its HTTP pipeline: one service, whose one endpoint has no tunnel and is therefore
 * called in plain TCP, and one caller. Pure.
 */
import type { Environment } from '@clearmesh/shared/lifecycle/environment';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import type { OpaPolicy } from '@clearmesh/shared/model/l7/opa';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { identity, service, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import type { AcceptedPeer } from '@clearmesh/shared/tunnel/acceptor';

const namespace = 'bank';
const gateway = 'waypoint';
/** Where the caller believes the service to be. */
const called = '10.96.0.1:80';

export type PlainWorld = {
  readonly services: readonly Service[];
  readonly workloads: readonly Workload[];
  readonly configuration: WaypointConfiguration;
  /** Of every CONNECT. */
  readonly authority: string;
  readonly peer: AcceptedPeer;
};

export function plainWorld(upstream: SocketAddress, opa?: OpaPolicy): PlainWorld {
  const target = service({ ports: { 80: upstream.port } });
  const server = workload({
    name: 'server',
    addresses: [upstream.ip],
    tunnelProtocol: 'NONE',
    services: { [target.key]: { 80: upstream.port } },
  });
  const proxy = workload({ name: `${gateway}-0`, addresses: ['10.0.0.2'], serviceAccount: gateway });
  const policies = { authorization: {}, jwt: {}, resilience: {}, rateLimits: {}, faults: {} };
  return {
    services: [target],
    workloads: [workload({ name: 'client', addresses: ['10.0.0.1'] }), proxy, server],
    configuration: {
      namespace,
      name: gateway,
      environment: 'production',
      services: [
        {
          key: target.key,
          ports: [{ port: 80, protocol: 'HTTP11' }],
          routes: [],
          authorization: [],
          jwt: [],
          opa: opa === undefined ? [] : [opa.key],
          rateLimits: [],
          faults: [],
        },
      ],
      workloads: [],
      policies: { ...policies, opa: opa === undefined ? {} : { [opa.key]: opa } },
    },
    authority: called,
    peer: {
      identity: identity(namespace, 'default'),
      remote: socketAddress('10.0.0.1:40000'),
      local: socketAddress('10.0.0.2:15008'),
      tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', group: 'X25519MLKEM768' },
    },
  };
}

/** The environment of a waypoint that has no control plane. */
export const plainEnvironment: Environment = {
  GATEWAY_NAME: gateway,
  POD_NAMESPACE: namespace,
  POD_NAME: `${gateway}-0`,
  INSTANCE_IP: '10.0.0.2',
  XDS_ADDRESS: '',
  CA_ADDRESS: '',
};
