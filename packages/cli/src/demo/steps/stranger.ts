import { isDenialAt, text } from '../access-lines.ts';
import type { Step } from '../step.ts';
import type { World } from '../world.ts';

export const stranger: Step<World> = {
  name: 'A stranger is refused',
  why: 'STRICT mutual TLS is the default: who cannot prove an identity gets no answer, wherever it runs.',
  check: async (world, signal) => {
    const log = world.proxyLog(world.pod('ledger/ledger-0').spec.nodeName);
    const { mark } = log;
    const { body } = await world.ask('default/stranger-0', 'GET', '/try', signal);
    if (body['answered'] !== false) return { ok: false, facts: ['the ledger answered the stranger'] };
    const denial = await log.find(mark, (fields) => isDenialAt('ledger-0')(fields) || isDenialAt('ledger-1')(fields), signal);
    const policy = text(denial.fields, 'policy');
    const identity = text(denial.fields, 'src.identity');
    return {
      ok: identity === '' && policy !== '',
      facts: [
        `stranger-0 got ${String(body['error'])} after ${String(body['afterMs'])} ms, in plaintext, without an identity`,
        `denied by ${policy || 'no policy'}, rule ${text(denial.fields, 'rule') || 'unknown'}, at ${text(denial.fields, 'dst.workload')}`,
      ],
    };
  },
};
