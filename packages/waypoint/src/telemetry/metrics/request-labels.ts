/** The labels of Istio's request metrics (l7-and-resilience B14): its names, so that its dashboards keep working. */
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { meteredEnds, peerLabelNames, peerLabels } from '@clearmesh/shared/observe/peer-labels';
import type { MeteredPeer } from '@clearmesh/shared/observe/peer-labels';
import type { ResponseFlag } from '../../exchange/failure.ts';
import type { CalledService } from '../../exchange/request-facts.ts';
import type { Labels } from './computed-family.ts';

/** What tells one series from another; `source` and `destination` by identity of the object. */
export type RequestSeriesFacts = {
  /** From the snapshot, by the caller's address. */
  readonly source?: MeteredPeer | undefined;
  /** Proven by the handshake, never from a header. */
  readonly sourceIdentity: SpiffeId;
  readonly service: CalledService;
  /** Of the endpoint that was asked last; absent when none was. */
  readonly destination?: MeteredPeer | undefined;
  readonly destinationIdentity?: SpiffeId | undefined;
  readonly grpc: boolean;
  /** 0: no answer. */
  readonly status: number;
  readonly grpcStatus?: number | undefined;
  readonly flag: ResponseFlag;
};

/** All label names, as declared to the registry. */
export const requestLabelNames: readonly string[] = [
  'reporter',
  ...meteredEnds.flatMap((end) => peerLabelNames.map((name) => `${end}_${name}`)),
  'destination_service',
  'destination_service_name',
  'destination_service_namespace',
  'request_protocol',
  'response_code',
  'grpc_response_status',
  'response_flags',
  'connection_security_policy',
];

/** The labels of one series; what is not known is `unknown`, and only gRPC has `grpc_response_status`. */
export function requestLabels(facts: RequestSeriesFacts): Labels {
  const { service, grpc, grpcStatus } = facts;
  return {
    reporter: 'waypoint',
    ...peerLabels('source', facts.source, facts.sourceIdentity),
    ...peerLabels('destination', facts.destination, facts.destinationIdentity),
    destination_service: service.hostname,
    destination_service_name: service.hostname.split('.', 1)[0] ?? service.hostname,
    destination_service_namespace: service.namespace,
    request_protocol: grpc ? 'grpc' : 'http',
    response_code: String(facts.status),
    ...(grpc ? { grpc_response_status: grpcStatus === undefined ? '' : String(grpcStatus) } : {}),
    response_flags: facts.flag,
    // A waypoint takes nothing but what came through a tunnel.
    connection_security_policy: 'mutual_tls',
  };
}

/** M2. What alerts are made of stays. */
export function overflowLabels(labels: Labels): Labels {
  const kept = new Set([
    'reporter',
    'request_protocol',
    'response_code',
    'grpc_response_status',
    'response_flags',
    'connection_security_policy',
  ]);
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, kept.has(name) ? value : 'overflow']));
}
