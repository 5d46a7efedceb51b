import { delay } from '@clearmesh/shared/lifecycle/clock';
import { duration } from '../../terminal/layout.ts';
import type { ReceivedSpan } from '../../trace-receiver/span.ts';
import { isInboundTo, isOfTrace, isOnBehalfOf, text } from '../access-lines.ts';
import { carriedConnection, withinTrace } from '../payment-trace.ts';
import type { Step } from '../step.ts';
import { pay } from '../payment.ts';
import { waypointPod } from '../world.ts';
import type { World } from '../world.ts';

/** As long as the waypoint keeps a connection that nobody uses, and a little more: this payment opens its own. */
const quietMs = 1300;
const payer = 'spiffe://cluster.local/ns/payments/sa/payments';
const pollMs = 50;
/** payments: asked, asks; waypoint: asked, asks; ledger: asked. */
const expected = 5;
const path = ['payments', 'payments', 'ledger-waypoint', 'ledger-waypoint', 'ledger'];

export const trace: Step<World> = {
  name: 'One payment, one trace',
  why: 'Services, waypoint and node proxies tell of the same payment: where its milliseconds went is seen at a glance.',
  check: async (world, signal) => {
    await delay(world.clock, quietMs, signal);
    const near = world.proxyLog(world.pod('payments/payments-0').spec.nodeName);
    const far = world.proxyLog(world.pod('ledger/ledger-0').spec.nodeName);
    const marks = { near: near.mark, far: far.mark };
    const payment = await pay(world, signal, { record: true });
    if (!payment.booked) return { ok: false, facts: [`the payment was refused: ${payment.error}`] };
    const { traceId } = payment;
    const { fields } = await world.podLog(waypointPod).find(0, isOfTrace(traceId), signal);
    // A client's proxy reads no HTTP, and knows the connection by its port only.
    const outbound = await near.find(marks.near, (line) => text(line, 'src.addr') === text(fields, 'src_addr'), signal);
    const isItsOwn = (line: Parameters<typeof text>[0]): boolean => isInboundTo(payment.by)(line) && isOnBehalfOf(payer)(line);
    const inbound = await far.find(marks.far, isItsOwn, signal);
    const spans = await arrived(world, traceId, signal);
    const [asking, sending] = ['payments', 'ledger-waypoint'].map((name) => callOf(spans, name));
    if (asking === undefined || sending === undefined) return { ok: false, facts: ['a call has no span'] };
    const connections = [
      carriedConnection('node-a', asking, outbound),
      withinTrace(spans, carriedConnection('node-b', sending, inbound)),
    ];
    const services = spans.map(({ service }) => service);
    const total = Math.max(...spans.map(({ durationMs }) => durationMs));
    return {
      ok: spans.length === expected && path.every((service) => services.includes(service)) && isOneTree(spans),
      facts: [
        `trace ${traceId}: ${spans.length} spans of ${[...new Set(services)].join(', ')}, and 2 connections of node proxies, ${duration(total)} in all`,
      ],
      trace: { traceId, spans, connections },
    };
  },
};

/** The spans of the payment, once every exporter has sent its batch. */
async function arrived(world: World, traceId: string, signal: AbortSignal): Promise<readonly ReceivedSpan[]> {
  for (;;) {
    const spans = await world.trace(traceId, signal);
    if (spans.length >= expected) return spans;
    await delay(world.clock, pollMs, signal);
  }
}

/** The span of what a service asked of another one. */
function callOf(spans: readonly ReceivedSpan[], name: string): ReceivedSpan | undefined {
  return spans.find(({ service, kind }) => service === name && kind === 'client');
}

/** One root, and every other span under one that is there. */
function isOneTree(spans: readonly ReceivedSpan[]): boolean {
  const known = new Set(spans.map(({ spanId }) => spanId));
  return spans.filter(({ parentSpanId }) => parentSpanId === undefined || !known.has(parentSpanId)).length === 1;
}
