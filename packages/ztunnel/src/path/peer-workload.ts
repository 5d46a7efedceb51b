/** Who the peer is, as telemetry tells it; policy never asks this (l4-contract sections 2.8 and 8.1). */
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import { isFromElsewhere, workloadOfBaggage } from '@clearmesh/shared/wire/peer-baggage';
import type { TelemetryWorkload } from '@clearmesh/shared/wire/peer-baggage';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import type { ConnectHeaders } from '@clearmesh/shared/tunnel/engine';

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
  const known = isFromElsewhere(headers.xForwardedNetwork, network) ? undefined : snapshot.workloadByIp(network, ip);
  return known ?? workloadOfBaggage(headers.baggage);
}
