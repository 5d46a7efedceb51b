import { delay } from '@clearmesh/shared/lifecycle/clock';
import { duration } from '../../terminal/layout.ts';
import type { Step } from '../step.ts';
import { pay } from '../payment.ts';
import type { World } from '../world.ts';

const pauseMs = 15;
const callsAfterwards = 20;
const stopped = 'ledger/ledger-1';

export const replica: Step<World> = {
  name: 'A ledger replica stops, payments go on',
  why: 'As Kubernetes does it: out of service first, then asked to end. No payment may fail meanwhile.',
  check: async (world, signal) => {
    const object = { kind: 'Pod', namespace: 'ledger', name: 'ledger-1' };
    const deletion = ['metadata', 'deletionTimestamp'];
    const tally = new Map<string, number>();
    const failures: string[] = [];
    const call = async (): Promise<void> => {
      const payment = await pay(world, signal);
      if (payment.booked) tally.set(payment.by, (tally.get(payment.by) ?? 0) + 1);
      else failures.push(payment.error);
      await delay(world.clock, pauseMs, signal);
    };
    while (tally.size < 2 && failures.length === 0) await call();
    const started = world.clock.monotonicMs();
    await world.edit(object, [{ path: deletion, value: new Date(world.clock.now()).toISOString() }]);
    let gone: number | undefined;
    const end = world
      .until((pods) => !pods.some((pod) => pod.spec.key === stopped), signal)
      .then(() => {
        gone = world.clock.monotonicMs() - started;
      });
    for (let left = callsAfterwards; left > 0; await call()) if (gone !== undefined) left--;
    await end;
    await world.edit(object, [{ path: deletion, value: undefined }]);
    const booked = [...tally.values()].reduce((sum, count) => sum + count, 0);
    return {
      ok: failures.length === 0 && gone !== undefined,
      facts: [
        `ledger-1 was unready, then gone after ${duration(gone ?? 0)}`,
        `${booked} of ${booked + failures.length} payments booked, ${[...tally].map(([pod, count]) => `${count} by ${pod}`).join(', ')}, the last ${callsAfterwards} without ledger-1`,
        ...(failures.length === 0 ? [] : [`failures: ${[...new Set(failures)].join(', ')}`]),
      ],
    };
  },
};
