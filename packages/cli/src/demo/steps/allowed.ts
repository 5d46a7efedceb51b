import { isInboundTo, text } from '../access-lines.ts';
import type { Step } from '../step.ts';
import { pay } from '../payment.ts';
import type { World } from '../world.ts';

const caller = 'spiffe://cluster.local/ns/payments/sa/payments';
const callee = 'spiffe://cluster.local/ns/ledger/sa/ledger';

export const allowed: Step<World> = {
  name: 'payments may call ledger',
  why: 'Both ends proved who they are with certificates of their service accounts; the ledger still sees the caller’s own address.',
  check: async (world, signal) => {
    const { place, spec } = world.pod('payments/payments-0');
    const log = world.proxyLog(world.pod('ledger/ledger-0').spec.nodeName);
    const { mark } = log;
    const payment = await pay(world, signal);
    if (!payment.booked) return { ok: false, facts: [`the payment was refused: ${payment.error}`] };
    const { fields } = await log.find(mark, isInboundTo(payment.by), signal);
    const source = text(fields, 'src.identity');
    const destination = text(fields, 'dst.identity');
    return {
      ok: source === caller && destination === callee && payment.seenClient === place.ip && text(fields, 'error') === '',
      facts: [
        `${source || 'nobody'} → ${destination || 'nobody'}`,
        `booked by ${payment.by}, which saw the client as ${payment.seenClient}, the address of ${spec.name}`,
      ],
    };
  },
};
