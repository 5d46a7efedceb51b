import type { Server } from 'node:net';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';

/** Where a listening TCP server really listens; tells the port that 0 was replaced by. */
export function boundAddress(server: Pick<Server, 'address'>): SocketAddress {
  const bound = server.address();
  const ip = bound === null || typeof bound === 'string' ? undefined : parseIp(bound.address);
  if (bound === null || typeof bound === 'string' || ip === undefined) throw new Error('the server does not listen on TCP');
  return { ip, port: bound.port };
}
