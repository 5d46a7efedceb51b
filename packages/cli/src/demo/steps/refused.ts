import { isDenialAt, text } from '../access-lines.ts';
import type { Step } from '../step.ts';
import type { World } from '../world.ts';

const policy = 'customer-analytics/never-payments';

export const refused: Step<World> = {
  name: 'payments may not call customer-analytics',
  why: 'Refused at layer 4 before a byte reaches the store, and the log names the policy and the rule that said no.',
  check: async (world, signal) => {
    const log = world.proxyLog(world.pod('customer-analytics/store-0').spec.nodeName);
    const { mark } = log;
    const asked = await world.ask('payments/payments-0', 'GET', '/report', signal);
    const own = await world.ask('customer-analytics/analytics-0', 'GET', '/report', signal);
    if (asked.body['answered'] !== false) return { ok: false, facts: ['the store answered payments'] };
    const { fields } = await log.find(mark, isDenialAt('store-0'), signal);
    const named = text(fields, 'policy');
    const rule = text(fields, 'rule');
    return {
      ok:
        named === policy &&
        rule !== '' &&
        text(fields, 'src.identity').endsWith('/ns/payments/sa/payments') &&
        own.body['answered'] === true,
      facts: [
        `payments-0 got ${String(asked.body['error'])} after ${String(asked.body['afterMs'])} ms`,
        `denied by ${named || 'no policy'}, rule ${rule || 'unknown'}`,
        `caller ${text(fields, 'src.identity') || 'unknown'}`,
        own.body['answered'] === true ? 'analytics-0 asked the same and was answered' : 'analytics-0 was not answered either',
      ],
    };
  },
};
