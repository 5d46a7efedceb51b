import type { ConnectionSummary } from '../src/path/connections.ts';
import type { DumpedPod } from '../src/admin-view.ts';
import type { LastFailure } from '../src/path/last-failure.ts';

type Parts = {
  readonly inbound?: readonly ConnectionSummary[];
  readonly failure?: LastFailure['current'];
};

/** A pod with two tunnels out, one in, and 300 bytes that wait. */
export function servedPod({ inbound = [], failure }: Parts = {}): DumpedPod {
  return {
    listening: { ports: [15_001, 15_006, 15_008], dns: true },
    path: {
      connections: {
        summaries: (direction) => (direction === 'inbound' ? inbound : []),
        counts: { inbound: inbound.length, outbound: 0 },
        heldBytes: 300,
      },
      accepted: { tunnels: 1, streams: 4 },
      dialer: { tunnelCount: 2, streamCount: 3 },
      failures: { current: failure, count: failure === undefined ? 0 : 7 },
    },
  };
}
