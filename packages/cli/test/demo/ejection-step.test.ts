import { expect } from 'chai';
import { describe, it } from 'mocha';
import { ejection } from '../../src/demo/steps/ejection.ts';
import { backendView } from '../../src/demo/waypoint-status.ts';
import type { Answer, World } from '../../src/demo/world.ts';
import { fakeWorld } from './fake-world.ts';

const backend = 'ledger/balances.ledger.svc.cluster.local:8080';
const limit = (): AbortSignal => AbortSignal.timeout(50);

/** A ledger behind a waypoint that behaves, but for the changes. */
function world(changes: { readonly ejects?: boolean; readonly spares?: boolean; readonly fails?: boolean }): World {
  const { ejects = true, spares = true, fails = false } = changes;
  const failing = new Set<string>();
  let taken = 0;
  let state: 'closed' | 'open' = 'closed';
  const answer = (status: number, headers: object = {}): Answer => {
    return { status, body: { pod: 'ledger-0', error: 'x', afterMs: 1, headers } };
  };
  const balance = (): Answer => {
    if (failing.size === 0) state = 'closed';
    if (failing.size === 2 && state === 'open') return answer(502, spares ? { 'x-mesh-denied': 'breaker-open' } : {});
    if (failing.size === 2) state = 'open';
    if (failing.size === 1) taken++;
    return answer(failing.size === 2 || (fails && failing.size === 1) ? 502 : 200);
  };
  return fakeWorld(
    { answers: {}, lines: [] },
    {
      ask: (key, _method, path, _signal, { body } = {}) => {
        if (path === '/journal') return Promise.resolve({ status: 200, body: { balances: taken, counts: {} } });
        if (path === '/balance') return Promise.resolve(balance());
        if ((body as { readonly mode: string }).mode === 'none') failing.delete(key);
        else failing.add(key);
        return Promise.resolve({ status: 200, body: {} });
      },
      admin: () =>
        Promise.resolve({
          breakers: { [backend]: [{ route: 'x', state }] },
          outliers: { [backend]: { ejected: ejects ? 1 : 0 } },
        }),
    },
  );
}

describe('ejection', () => {
  for (const [name, changes, ok] of [
    ['an ejection, an open breaker and a probe that closes it', {}, true],
    ['a replica that stays in rotation', { ejects: false }, false],
    ['a question that fails with it', { fails: true }, false],
    ['an open breaker that is not what refuses', { spares: false }, false],
  ] as const) {
    it(`${ok ? 'holds' : 'does not hold'} with ${name}`, async () => {
      const finding = await ejection.check(world(changes), limit()).catch(() => ({ ok: false }));
      expect(finding.ok).to.equal(ok);
    });
  }
});

describe('backendView', () => {
  it('is empty for a backend that nobody has asked yet', async () => {
    const asked = fakeWorld({ answers: {}, lines: [] }, { admin: () => Promise.resolve({ breakers: {}, outliers: {} }) });
    expect(await backendView(asked, 'balances', limit())).to.deep.equal({ ejected: 0, breakers: [] });
  });
});
