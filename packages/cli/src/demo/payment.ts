/** One payment through the whole path: payments-0 books an order in the ledger. */
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { World } from './world.ts';

/** What differs from the standing order. */
type Order = {
  readonly amount?: string;
  /** @default a new one */
  readonly key?: string;
  readonly initiator?: string;
  readonly approver?: string;
};

type Common = {
  /** How long the ledger took to answer, as payments saw it. */
  readonly afterMs: number;
  readonly traceId: string;
  /** `x-mesh-…` headers of the ledger's answer. */
  readonly headers: Readonly<Record<string, string>>;
};

export type Payment = Common &
  (
    | { readonly booked: true; readonly by: string; readonly seenClient: string }
    /** `status`: absent where no answer came at all. */
    | { readonly booked: false; readonly error: string; readonly status?: number }
  );

export type PayOptions = {
  readonly order?: Order;
  /** @default false */
  readonly record?: boolean;
};

export async function pay(
  world: Pick<World, 'ask'>,
  signal: AbortSignal,
  { order = {}, record = false }: PayOptions = {},
): Promise<Payment> {
  const { status, body } = await world.ask('payments/payments-0', 'POST', '/pay', signal, { body: order, record });
  const { headers = {}, afterMs, traceId = '' } = body;
  const common = { afterMs: Number(afterMs), traceId: String(traceId), headers: headers as Common['headers'] };
  if (status === 200) return { ...common, booked: true, by: String(body['pod']), seenClient: String(body['client']) };
  const refused = typeof body['status'] === 'number' ? { status: body['status'] } : {};
  return { ...common, booked: false, error: String(body['error']), ...refused };
}

/** Pays until a payment goes through; gives how long that took, in milliseconds. Rejects with the signal's reason. */
export async function firstPayment(world: Pick<World, 'ask' | 'clock'>, signal: AbortSignal): Promise<number> {
  const started = world.clock.monotonicMs();
  while (!(await pay(world, signal)).booked) await delay(world.clock, 20, signal);
  return world.clock.monotonicMs() - started;
}
