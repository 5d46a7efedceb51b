/** The proxy's own ports: forwarding to one of them would loop (l4-contract section 1). */
import { isLoopback } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Workload } from '@clearmesh/shared/model/workload';

/** Where every HBONE listener is. */
export const hbonePort = 15_008;

/** Where a pod's SOCKS listener is, if it has one. */
const socksPort = 15_080;

/** What a pod's proxy listens on beside what each does. */
export type OwnPorts = { readonly socks?: boolean };

const illegal: ReadonlySet<number> = new Set([15_001, 15_006, hbonePort]);

export function isIllegalPort(port: number, { socks = false }: OwnPorts = {}): boolean {
  return illegal.has(port) || (socks && port === socksPort);
}

/** A pod that calls a port of its own proxy, over loopback or by its own address. */
export function isSelfCall(source: Workload, target: SocketAddress, own: OwnPorts = {}): boolean {
  return isIllegalPort(target.port, own) && (isLoopback(target.ip) || source.addresses.includes(target.ip));
}
