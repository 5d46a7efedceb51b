/** Payments that go on while something changes: what a change may cost is counted in failed ones. */
import { delay } from '@clearmesh/shared/lifecycle/clock';
import { pay } from './payment.ts';
import type { World } from './world.ts';

export type Tally = { readonly booked: number; readonly failures: readonly string[] };

const pauseMs = 10;

/** Pays over and over from before `change` begins until it has ended. */
export async function payMeanwhile(
  world: Pick<World, 'ask' | 'clock'>,
  signal: AbortSignal,
  change: () => Promise<void>,
): Promise<Tally> {
  const over = new AbortController();
  let booked = 0;
  const failures: string[] = [];
  const paying = async (): Promise<void> => {
    do {
      const payment = await pay(world, signal);
      if (payment.booked) booked++;
      else failures.push(payment.error);
      await delay(world.clock, pauseMs, signal);
    } while (!over.signal.aborted);
  };
  await Promise.all([paying(), change().finally(() => over.abort())]);
  return { booked, failures };
}
