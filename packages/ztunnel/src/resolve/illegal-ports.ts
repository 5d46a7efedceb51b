/** The proxy's own ports: forwarding to one of them would loop (l4-contract section 1). */
import { isLoopback } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Workload } from '@clearmesh/shared/model/workload';

/** Where every HBONE listener is. */
export const hbonePort = 15_008;

const illegal: ReadonlySet<number> = new Set([15_001, 15_006, hbonePort]);

export function isIllegalPort(port: number): boolean {
  return illegal.has(port);
}

/** A pod that calls a port of its own proxy, over loopback or by its own address. */
export function isSelfCall(source: Workload, target: SocketAddress): boolean {
  return isIllegalPort(target.port) && (isLoopback(target.ip) || source.addresses.includes(target.ip));
}
