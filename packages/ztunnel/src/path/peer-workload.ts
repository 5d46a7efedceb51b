/** Who the peer is, as telemetry tells it; policy never asks this (l4-contract sections 2.8 and 8.1). */
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import { parseBaggage } from '@clearmesh/shared/wire/baggage';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import type { ConnectHeaders } from '@clearmesh/shared/tunnel/engine';
import type { TelemetryWorkload } from './connection-report.ts';

/**
 * The workload of the caller's address; from another network, where addresses mean something else, or for an address
 * nobody has, what its baggage says. Without any of it: `undefined`.
 */
export function peerWorkload(
  snapshot: Snapshot,
  network: string,
  ip: IpAddress,
  headers: Pick<ConnectHeaders, 'baggage' | 'xForwardedNetwork'>,
): TelemetryWorkload | undefined {
  const foreign = headers.xForwardedNetwork !== undefined && headers.xForwardedNetwork.toLowerCase() !== network.toLowerCase();
  const known = foreign ? undefined : snapshot.workloadByIp(network, ip);
  return known ?? workloadOfBaggage(headers.baggage);
}

/** What a peer says of itself; `undefined` where it says nothing. */
export function workloadOfBaggage(baggage: string | undefined): TelemetryWorkload | undefined {
  if (baggage === undefined) return undefined;
  const facts = parseBaggage([baggage]);
  if (facts.namespace === undefined && facts.workloadName === undefined) return undefined;
  const workloadName = facts.workloadName ?? '';
  return {
    name: workloadName,
    workloadName,
    namespace: facts.namespace ?? '',
    clusterId: facts.clusterId ?? '',
    canonicalName: facts.canonicalName ?? '',
    canonicalRevision: facts.canonicalRevision ?? '',
    locality: { region: facts.region ?? '', zone: facts.zone ?? '', subzone: '' },
  };
}
