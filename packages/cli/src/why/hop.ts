import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Hop } from './connection.ts';

/** A tunnel, with who proves to be whom in it. */
export function tunnelHop(from: string, to: string, client: SpiffeId, servers: readonly SpiffeId[], target: SocketAddress): Hop {
  return { from, to, by: 'tunnel', identities: `${client} ▸ ${servers.join(' or ')}`, detail: formatSocketAddress(target) };
}
