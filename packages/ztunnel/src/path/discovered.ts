/** What must be known before a connection is decided, where the mesh is asked for on demand. */
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { Captured } from '../resolve/route.ts';
import { Refusal } from './refusal.ts';

/** Finds out what is at an address; false when that takes too long. */
export interface Discovery {
  awaitDestination(source: Workload, ip: IpAddress, signal: AbortSignal): Promise<boolean>;
}

/** Fails closed: what was not asked for may be in the mesh, and would be taken for an address outside. */
export async function discovered(
  { source, originalDestination }: Captured,
  discovery: Discovery | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (discovery === undefined || (await discovery.awaitDestination(source, originalDestination.ip, signal))) return;
  signal.throwIfAborted();
  throw new Refusal({
    reason: 'not-discovered',
    message: `the control plane has not said what is at ${formatSocketAddress(originalDestination)}; see whether this proxy reaches it`,
  });
}
