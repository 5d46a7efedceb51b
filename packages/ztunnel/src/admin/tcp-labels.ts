/** The labels of the TCP metrics (l4-contract section 11.1): Istio's names, so that its dashboards keep working, and `source_caller`. */
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { knownLabel, meteredEnds, peerLabelNames, peerLabels } from '@clearmesh/shared/observe/peer-labels';
import type { MeteredPeer } from '@clearmesh/shared/observe/peer-labels';
import type { ResponseFlag } from '../path/connection-cut.ts';

/** What metrics say of one end; a workload, or what baggage told of one. */
export type TcpPeer = MeteredPeer & Pick<Workload, 'locality'>;

/** One connection as metrics see it. */
export type TcpConnectionFacts = {
  /** Which end counts: `source` for outbound, `destination` for inbound connections. */
  readonly reporter: 'source' | 'destination';
  readonly source?: TcpPeer | undefined;
  readonly destination?: TcpPeer | undefined;
  /** The service addressed. */
  readonly service?: Pick<Service, 'hostname' | 'namespace' | 'name'> | undefined;
  /** Proven by mTLS; both absent for plaintext. */
  readonly sourceIdentity?: SpiffeId | undefined;
  readonly destinationIdentity?: SpiffeId | undefined;
  /** On whose behalf a waypoint asked. */
  readonly sourceCaller?: SpiffeId | undefined;
  readonly mutualTls: boolean;
};

export type TcpLabels = Readonly<Record<string, string>>;

/** All label names, as declared to the registry. */
export const tcpLabelNames: readonly string[] = [
  'reporter',
  ...meteredEnds.flatMap((end) => [...peerLabelNames, 'region', 'zone'].map((name) => `${end}_${name}`)),
  'source_caller',
  'destination_service',
  'destination_service_namespace',
  'destination_service_name',
  'request_protocol',
  'response_flags',
  'connection_security_policy',
];

/** The labels of one series; what is not known is `unknown`. */
export function tcpLabels(facts: TcpConnectionFacts, flag: ResponseFlag): TcpLabels {
  return {
    reporter: facts.reporter,
    ...peerLabels('source', facts.source, facts.sourceIdentity),
    ...(facts.sourceCaller === undefined ? {} : { source_caller: facts.sourceCaller }),
    destination_service: knownLabel(facts.service?.hostname),
    destination_service_namespace: knownLabel(facts.service?.namespace),
    destination_service_name: knownLabel(facts.service?.name),
    ...peerLabels('destination', facts.destination, facts.destinationIdentity),
    request_protocol: 'tcp',
    response_flags: flag,
    connection_security_policy: facts.mutualTls ? 'mutual_tls' : 'unknown',
    ...localityLabels(facts),
  };
}

/** Left out altogether when neither end has a locality, which keeps the series of a mesh without zones short. */
function localityLabels({ source, destination }: TcpConnectionFacts): TcpLabels {
  const known4 = [source?.locality.region, source?.locality.zone, destination?.locality.region, destination?.locality.zone];
  if (known4.every((text) => text === undefined || text === '')) return {};
  return {
    source_region: knownLabel(source?.locality.region),
    source_zone: knownLabel(source?.locality.zone),
    destination_region: knownLabel(destination?.locality.region),
    destination_zone: knownLabel(destination?.locality.zone),
  };
}
