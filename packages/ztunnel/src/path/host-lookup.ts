/** Addresses of a workload that is known by name only (l4-contract section 7.2), by the system's resolver. */
import { lookup } from 'node:dns/promises';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';

/** A and AAAA records; empty when there are none or the resolver fails, which refuses the connection. */
export async function lookUpHost(hostname: string, signal: AbortSignal): Promise<readonly IpAddress[]> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const recvAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', recvAbort, { once: true });
  try {
    signal.throwIfAborted();
    const found = await Promise.race([lookup(hostname, { all: true, order: 'verbatim' }).catch(() => []), aborted]);
    return found.map(({ address }) => parseIp(address)).filter((ip) => ip !== undefined);
  } finally {
    signal.removeEventListener('abort', recvAbort);
  }
}
