import { delay } from '@clearmesh/shared/lifecycle/clock';
import { duration } from '../../terminal/layout.ts';
import { isOfTrace, text } from '../access-lines.ts';
import type { Step } from '../step.ts';
import { pay } from '../payment.ts';
import { waypointPod } from '../world.ts';
import type { World } from '../world.ts';

const policy = 'OpaPolicy ledger/four-eyes';
const data = 'bundles/four-eyes/data.json';
const large = '5000.00';
/** A second, and what a machine may take longer that does other things too. */
const limitMs = 3000;
const pollMs = 20;

export const fourEyes: Step<World> = {
  name: 'Above a limit, four eyes',
  why: 'Policy is code: Rego in the waypoint reads the amount and asks for a second person; its limit is data, in force as soon as it is saved.',
  check: async (world, signal) => {
    const alone = await pay(world, signal, { order: { amount: large } });
    const { fields } = await world.podLog(waypointPod).find(0, isOfTrace(alone.traceId), signal);
    const oneself = await pay(world, signal, { order: { amount: large, initiator: 'alice', approver: 'alice' } });
    const approved = await pay(world, signal, { order: { amount: large, approver: 'alice' } });
    const kept = await world.read(data);
    const lowered = await inForceAfter(world, kept.replace(/"limit": \d+/, '"limit": 1000'), false, signal);
    const restored = await inForceAfter(world, kept, true, signal);
    const refused = !alone.booked && alone.status === 403 && text(fields, 'policy.name') === policy;
    return {
      ok: refused && !oneself.booked && approved.booked && lowered <= limitMs && restored <= limitMs,
      facts: [
        `${large} EUR by carol alone: ${alone.booked ? 'booked' : alone.error}`,
        `decided by ${text(fields, 'policy.name') || 'nobody'}, bundle ${text(fields, 'policy.bundle_rev') || 'unknown'}, in ${duration(Number(text(fields, 'durations.authz')))}`,
        `approved by the one who asks: ${oneself.booked ? 'booked' : 'refused'}`,
        `approved by alice: ${approved.booked ? `booked by ${approved.by}` : approved.error}`,
        `limit lowered to 1000 in ${data}: the standing order needs a second person after ${duration(lowered)}, and none ${duration(restored)} after it is restored`,
      ],
    };
  },
};

/** Milliseconds until the standing order fares as it should by new data. */
async function inForceAfter(world: World, text: string, booked: boolean, signal: AbortSignal): Promise<number> {
  await world.write(data, text);
  const started = world.clock.monotonicMs();
  while ((await pay(world, signal)).booked !== booked) await delay(world.clock, pollMs, signal);
  return world.clock.monotonicMs() - started;
}
