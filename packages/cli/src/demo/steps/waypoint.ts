import { duration } from '../../terminal/layout.ts';
import { isOfTrace, isOnBehalfOf, isRequest, text } from '../access-lines.ts';
import { payMeanwhile } from '../pay-meanwhile.ts';
import type { Step } from '../step.ts';
import { pay } from '../payment.ts';
import { waypointPod } from '../world.ts';
import type { World } from '../world.ts';

const label = ['metadata', 'labels', 'istio.io/use-waypoint'];
const caller = 'spiffe://cluster.local/ns/payments/sa/payments';
const itself = 'spiffe://cluster.local/ns/ledger/sa/ledger-waypoint';
const further = 20;

export const waypoint: Step<World> = {
  name: 'The ledger’s domain gets a waypoint',
  why: 'One label on a Service sends every call through a proxy that understands HTTP; nothing restarts, and no payment under way is disturbed.',
  check: async (world, signal) => {
    const log = world.podLog(waypointPod);
    const ledger = world.proxyLog(world.pod('ledger/ledger-0').spec.nodeName);
    const marks = { log: log.mark, ledger: ledger.mark };
    const started = world.clock.monotonicMs();
    let throughAfter = 0;
    const tally = await payMeanwhile(world, signal, async () => {
      for (const name of ['ledger', 'balances']) {
        await world.edit({ kind: 'Service', namespace: 'ledger', name }, [{ path: label, value: 'ledger-waypoint' }]);
      }
      await log.find(marks.log, isRequest('POST', '/entries'), signal);
      throughAfter = world.clock.monotonicMs() - started;
      for (let i = 0; i < further; i++) await log.find(log.mark, isRequest('POST', '/entries'), signal);
    });
    const payment = await pay(world, signal);
    const { fields } = await log.find(marks.log, isOfTrace(payment.traceId), signal);
    // Logged when the connection ends, which is a second after its last request.
    const { fields: arrived } = await ledger.find(marks.ledger, isOnBehalfOf(caller), signal);
    return {
      ok:
        tally.failures.length === 0 &&
        payment.booked &&
        text(fields, 'src_principal') === caller &&
        text(arrived, 'src.identity') === itself,
      facts: [
        `istio.io/use-waypoint: ledger-waypoint on the Services ledger and balances: through ${waypointPod} after ${duration(throughAfter)}`,
        `${tally.booked} of ${tally.booked + tally.failures.length} payments booked while it changed${tally.failures.length === 0 ? '' : `: ${tally.failures.join(', ')}`}`,
        `the waypoint saw ${text(fields, 'src_principal') || 'nobody'} → ${text(fields, 'dst_principal') || 'nobody'}, ${text(fields, 'method')} ${text(fields, 'path')} by ${text(fields, 'route') || 'no route'}, ${text(fields, 'status')} in ${duration(Number(text(fields, 'durations.total')))}`,
        `the ledger’s proxy logged ${text(arrived, 'src.identity') || 'nobody'} on behalf of ${text(arrived, 'src.caller') || 'nobody'}`,
      ],
    };
  },
};
