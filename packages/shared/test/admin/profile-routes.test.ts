import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { HttpAnswer } from '../../src/admin/http-endpoint.ts';
import { profileRoutes } from '../../src/admin/profile-routes.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';

type Bed = {
  readonly clock: FakeClock;
  readonly ask: (path: string, method?: string) => Promise<HttpAnswer>;
  /** Until something waits for the clock. */
  readonly underWay: () => Promise<void>;
};

function bed(): Bed {
  const clock = new FakeClock();
  const routes = profileRoutes({ clock });
  return {
    clock,
    ask: async (path, method = 'GET') => {
      const url = new URL(path, 'http://proxy');
      return routes[url.pathname]!({ method, url, headers: {} });
    },
    underWay: async () => {
      while (clock.pendingTimers === 0) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

const json = ({ body }: HttpAnswer): Record<string, unknown> => JSON.parse(String(body)) as Record<string, unknown>;

/** Allocates something that stays, for a heap profile to find. */
function keepSome(): readonly object[] {
  return Array.from({ length: 50_000 }, (_, index) => ({ index, text: `kept ${index}` }));
}

describe('profiles of a running process', () => {
  it('show where CPU time goes, for as long as is asked', async () => {
    const { clock, ask, underWay } = bed();
    const asked = ask('/debug/pprof/profile?seconds=30&frequency=1000');
    await underWay();
    expect(clock.nextTimerMs).to.equal(30_000);
    clock.advance(30_000);
    const answer = await asked;
    expect([answer.status, answer.headers?.['content-disposition']]).to.deep.equal([
      200,
      'attachment; filename="profile.cpuprofile"',
    ]);
    expect(json(answer)).to.include.keys('nodes', 'samples', 'startTime', 'endTime');
  });

  it('show what is allocated meanwhile and still alive', async () => {
    const { clock, ask, underWay } = bed();
    const asked = ask('/debug/pprof/heap');
    await underWay();
    const kept = keepSome();
    clock.advance(10_000);
    const answer = await asked;
    expect(kept).to.have.length(50_000);
    expect(String(answer.body)).to.include('keepSome');
    expect(json(answer)).to.include.keys('head', 'samples');
  });

  it('are taken one at a time', async () => {
    const { clock, ask, underWay } = bed();
    const first = ask('/debug/pprof/profile');
    await underWay();
    expect((await ask('/debug/pprof/heap')).status).to.equal(503);
    clock.advance(10_000);
    expect((await first).status).to.equal(200);
    const next = ask('/debug/pprof/heap?seconds=1');
    await underWay();
    clock.advance(1_000);
    expect((await next).status).to.equal(200);
  });

  for (const query of ['seconds=0', 'seconds=301', 'seconds=x', 'seconds=', 'seconds=1.5', 'frequency=0', 'frequency=1001']) {
    it(`are refused for ${query}`, async () => {
      const { ask, clock } = bed();
      expect((await ask(`/debug/pprof/profile?${query}`)).status).to.equal(400);
      expect(clock.pendingTimers).to.equal(0);
    });
  }

  it('are got, not posted', async () => {
    expect(await bed().ask('/debug/pprof/profile', 'POST')).to.deep.include({ status: 405, headers: { allow: 'GET' } });
  });
});
