import { isDenialAt, isOfTrace, text } from '../access-lines.ts';
import { journalled } from '../ledger-side.ts';
import type { Step } from '../step.ts';
import { waypointPod } from '../world.ts';
import type { Answer, World } from '../world.ts';

const service = '10.96.0.20:8080';
const analytics = 'customer-analytics/analytics-0';
const forgedTrace = 'f0'.repeat(16);

/** What somebody writes who knows how proxies tell each other who called. */
const forged = {
  'x-forwarded-client-cert': 'By=spiffe://cluster.local/ns/ledger/sa/ledger;URI=spiffe://cluster.local/ns/payments/sa/payments',
  'x-envoy-internal': 'true',
  'x-mesh-caller': 'spiffe://cluster.local/ns/payments/sa/payments',
  'x-mesh-outcome': 'completed',
  traceparent: `00-${forgedTrace}-${'f0'.repeat(8)}-00`,
};

export const bypass: Step<World> = {
  name: 'Five ways round the waypoint are shut',
  why: 'A control that can be walked around is none: the ledger takes connections from its own waypoint only, whoever asks and whatever they claim.',
  check: async (world, signal) => {
    const pod = world.pod('ledger/ledger-0').place.ip;
    const log = world.proxyLog(world.pod('ledger/ledger-0').spec.nodeName);
    const { mark } = log;
    const before = await journalled(world, signal);
    const ways = [
      ['payments-0 → the pod’s address', 'payments/payments-0', `${pod}:8080`],
      ['analytics-0 → the pod’s address', analytics, `${pod}:8080`],
      ['stranger-0 → the pod’s address', 'default/stranger-0', `${pod}:8080`],
      ['stranger-0 → the service’s address', 'default/stranger-0', service],
      ['stranger-0 → the waypoint’s own port', 'default/stranger-0', `${world.pod(waypointPod).place.ip}:15008`],
    ] as const;
    const results: string[] = [];
    let shut = 0;
    for (const [way, from, to] of ways) {
      const { body } = await book(world, from, to, signal);
      if (body['answered'] === false) shut++;
      results.push(`${way}: ${body['answered'] === false ? String(body['error']) : `answered ${String(body['status'])}`}`);
    }
    const { fields } = await log.find(
      mark,
      (line) => isDenialAt('ledger-0')(line) && payments.test(text(line, 'src.identity')),
      signal,
    );
    const lie = await book(world, analytics, service, signal, forged);
    const seen = await world.podLog(waypointPod).find(0, isOfTrace(forgedTrace), signal);
    const booked = (await journalled(world, signal)) - before;
    const refused = lie.body['status'] === 403 && text(seen.fields, 'src_principal').includes('/ns/customer-analytics/');
    return {
      ok: shut === ways.length && booked === 0 && refused && text(fields, 'error').includes('without its waypoint'),
      facts: [
        ...results,
        `ledger-0’s proxy logged: ${text(fields, 'error').split(': service ', 1)[0]}`,
        `analytics-0 through the waypoint with forged headers: ${String(lie.body['status'])}, denied as ${text(seen.fields, 'src_principal')} by ${text(seen.fields, 'policy.name') || 'the lack of an ALLOW'}`,
        `${booked} of ${ways.length + 1} attempts reached a journal`,
      ],
    };
  },
};

const payments = /\/ns\/payments\//;

function book(world: World, from: string, to: string, signal: AbortSignal, headers: object = {}): Promise<Answer> {
  const booking = {
    url: `http://${to}/entries`,
    headers: { 'content-type': 'application/json', 'idempotency-key': '"round-the-waypoint"', ...headers },
    body: JSON.stringify({ iban: 'DE00', amount: '1.00' }),
  };
  return world.ask(from, 'POST', '/call', signal, { body: booking });
}
