/**
 * What one replica does about the lease, as it sees it.
 *
 * D1  No clock is compared with another one's: a lease has ended when this replica has seen no change of it for as long
 *     as it lasts.
 */
import type { Lease } from './lease.ts';

export type LeaseView = {
  /** `undefined`: there is none. */
  readonly lease: Lease | undefined;
  /** Milliseconds since this replica first saw this state of it. */
  readonly unchangedMs: number;
};

export type LeaseStep = 'create' | 'renew' | 'take' | 'wait';

export function decideLease({ lease, unchangedMs }: LeaseView, identity: string): LeaseStep {
  if (lease === undefined) return 'create';
  if (lease.holder === identity) return 'renew';
  return lease.holder === '' || unchangedMs >= lease.durationMs ? 'take' : 'wait';
}
