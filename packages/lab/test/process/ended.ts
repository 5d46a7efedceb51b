import { delay, systemClock } from '@clearmesh/shared/lifecycle/clock';
import { keepAliveFor } from '../../src/process/keep-alive.ts';
import { isRunning } from '../../src/process/proc-stat.ts';
import type { ProcessStamp } from '../../src/process/proc-stat.ts';

/** Resolves when a process that is not our child has ended; the kernel offers no event for it. Rejects after 5 s. */
export async function ended(stamp: ProcessStamp): Promise<void> {
  const deadline = AbortSignal.timeout(5000);
  while (isRunning(stamp)) {
    await keepAliveFor(delay(systemClock, 5, deadline));
  }
}
