/** Takes the start lock, says so, and keeps it until it is killed. */
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { withStartLock } from '../../src/cleanup/start-lock.ts';

await withStartLock({ signal: AbortSignal.timeout(60_000) }, { clock: systemClock }, () => {
  process.stdout.write('held\n');
  return new Promise<void>(() => {});
});
