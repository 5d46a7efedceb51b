/** One payment through the whole path: payments-0 books its standing order in the ledger. */
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { World } from './world.ts';

export type Payment =
  | { readonly booked: true; readonly by: string; readonly seenClient: string }
  | { readonly booked: false; readonly error: string };

export async function pay(world: Pick<World, 'ask'>, signal: AbortSignal): Promise<Payment> {
  const { status, body } = await world.ask('payments/payments-0', 'POST', '/pay', signal);
  if (status === 200) return { booked: true, by: String(body['pod']), seenClient: String(body['client']) };
  return { booked: false, error: String(body['error']) };
}

/** Pays until a payment goes through; gives how long that took, in milliseconds. Rejects with the signal's reason. */
export async function firstPayment(world: Pick<World, 'ask' | 'clock'>, signal: AbortSignal): Promise<number> {
  const started = world.clock.monotonicMs();
  while (!(await pay(world, signal)).booked) await delay(world.clock, 20, signal);
  return world.clock.monotonicMs() - started;
}
