import { delay } from '@clearmesh/shared/lifecycle/clock';
import { duration } from '../../terminal/layout.ts';
import { isDenialAt, text } from '../access-lines.ts';
import type { Step } from '../step.ts';
import { firstPayment, pay } from '../payment.ts';
import type { World } from '../world.ts';

const limitMs = 1000;
const pollMs = 10;
const policy = { kind: 'AuthorizationPolicy', namespace: 'ledger', name: 'allow-payments' };
const principals = ['spec', 'rules', 0, 'from', 0, 'source', 'principals'];

export const policyCut: Step<World> = {
  name: 'A policy edited on disk cuts an open connection',
  why: 'Policy is asked again for what already flows: access taken away is gone within a second, not with the next connection.',
  check: async (world, signal) => {
    await world.ask('payments/payments-0', 'POST', '/stream', signal);
    const open = await stream(world, (body) => Number(body['ticks']) >= 3, signal);
    const log = world.proxyLog(world.pod('ledger/ledger-0').spec.nodeName);
    const { mark } = log;
    const editedAt = world.clock.now();
    const file = await world.edit(policy, [{ path: principals, value: ['cluster.local/ns/payments/sa/nobody'] }]);
    const closed = await stream(world, (body) => body['state'] === 'closed', signal);
    const cutMs = Number(closed['closedAtMs']) - editedAt;
    const { fields } = await log.find(mark, (line) => isDenialAt('ledger-0')(line) || isDenialAt('ledger-1')(line), signal);
    const next = await pay(world, signal);
    const restoredAt = world.clock.monotonicMs();
    await world.edit(policy, [{ path: principals, value: ['cluster.local/ns/payments/sa/payments'] }]);
    await firstPayment(world, signal);
    const restored = world.clock.monotonicMs() - restoredAt;
    return {
      ok: open['state'] === 'open' && cutMs <= limitMs && !next.booked,
      facts: [
        `${file} edited: the open stream was cut after ${duration(cutMs)}`,
        `${text(fields, 'dst.workload')} logged: ${text(fields, 'error').split(':', 1)[0]}`,
        next.booked ? 'the next payment was booked all the same' : `the next payment was refused (${next.error})`,
        `policy restored: paid again after ${duration(restored)}`,
      ],
    };
  },
};

/** The state of the long connection as payments sees it, once it fits. */
async function stream(
  world: World,
  fits: (body: Readonly<Record<string, unknown>>) => boolean,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  for (;;) {
    const { body } = await world.ask('payments/payments-0', 'GET', '/stream', signal);
    if (fits(body)) return body;
    await delay(world.clock, pollMs, signal);
  }
}
