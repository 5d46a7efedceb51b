import { delay } from '@clearmesh/shared/lifecycle/clock';
import { isOfTrace, text } from '../access-lines.ts';
import { journalled, orderDrill } from '../ledger-side.ts';
import type { Step } from '../step.ts';
import { firstPayment, pay } from '../payment.ts';
import { ledgers, waypointPod } from '../world.ts';
import type { World } from '../world.ts';

const pollMs = 30;
const key = 'rent-2027-01';

export const paidOnce: Step<World> = {
  name: 'A replica dies in the middle of a payment: paid once',
  why: 'The worst moment: booked, and nobody told. What may have happened is never sent again, and the caller is told what is known.',
  check: async (world, signal) => {
    for (const pod of ledgers) await orderDrill(world, pod, { mode: 'die-after-body' }, signal);
    const lost = await pay(world, signal, { order: { key } });
    const { fields } = await world.podLog(waypointPod).find(0, isOfTrace(lost.traceId), signal);
    const again = await pay(world, signal, { order: { key } });
    for (const pod of ledgers) await back(world, pod, signal);
    const later = await pay(world, signal, { order: { key } });
    const times = await journalled(world, signal, key);
    const other = await firstPayment(world, signal);
    const outcome = lost.headers['x-mesh-outcome'];
    const stays = [again, later].every((payment) => !payment.booked && payment.status === 409);
    return {
      ok: !lost.booked && outcome === 'unknown' && text(fields, 'attempts') === '1' && stays && times === 1 && other >= 0,
      facts: [
        `the replica journalled key ${key} and was killed before it answered`,
        `payments-0 was told ${lost.booked ? 'that it is booked' : lost.error}, x-mesh-outcome: ${outcome ?? 'nothing'}, after ${text(fields, 'attempts')} attempt`,
        `the same key again: ${again.booked ? 'booked' : again.error}, and once the replica is back: ${later.booked ? 'booked' : (later.status ?? later.error)}`,
        `in the journals of both replicas: ${times} entry of this key`,
      ],
    };
  },
};

/** Resolves when the replica answers, and has no drill left. */
async function back(world: World, pod: string, signal: AbortSignal): Promise<void> {
  const isBack = (): Promise<boolean> =>
    orderDrill(world, pod, { mode: 'none' }, signal).then(
      () => true,
      () => false,
    );
  while (!(await isBack())) await delay(world.clock, pollMs, signal);
  await world.until((pods) => pods.some(({ spec, ready }) => spec.key === pod && ready), signal);
}
