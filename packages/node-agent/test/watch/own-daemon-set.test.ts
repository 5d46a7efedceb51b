import { setImmediate as turn } from 'node:timers/promises';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { KubeFailure } from '../../src/watch/kube-api.ts';
import { OwnDaemonSet } from '../../src/watch/own-daemon-set.ts';

type Answer = 'there' | 'deleting' | 'no connection' | number | 'silence';

type Bed = {
  readonly daemonSet: OwnDaemonSet;
  readonly clock: FakeClock;
  readonly asked: () => number;
  /** Moves time on while `awaited` waits for it. */
  readonly passing: <T>(awaited: Promise<T>) => Promise<T>;
};

/** An API that gives these answers one by one, and is silent after the last. */
function bed(...answers: readonly Answer[]): Bed {
  let asked = 0;
  const clock = new FakeClock();
  const get = async (path: string, signal: AbortSignal): Promise<unknown> => {
    expect(path).to.equal('/apis/apps/v1/namespaces/system/daemonsets/agent');
    const answer = answers[asked++] ?? 'silence';
    if (typeof answer === 'number') throw new KubeFailure('no', answer);
    if (answer === 'no connection') throw new KubeFailure('connect ECONNREFUSED');
    if (answer !== 'silence') return { metadata: answer === 'there' ? {} : { deletionTimestamp: 'now' } };
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  const passing = async <T>(awaited: Promise<T>): Promise<T> => {
    const waited = new AbortController();
    const ended = awaited.finally(() => waited.abort());
    while (!waited.signal.aborted) {
      await turn();
      clock.advance(clock.nextTimerMs ?? 0);
    }
    return ended;
  };
  const daemonSet = new OwnDaemonSet({ namespace: 'system', name: 'agent' }, { api: { get }, clock, random: new FakeRandom() });
  return { clock, daemonSet, asked: () => asked, passing };
}

const never = new AbortController().signal;

describe('OwnDaemonSet', () => {
  for (const { title, answers, gone } of [
    { title: 'is there', answers: ['there', 'there'], gone: false },
    { title: 'is being deleted', answers: ['there', 'deleting'], gone: true },
    { title: 'is not found', answers: ['there', 404], gone: true },
    { title: 'may not be seen any more, its rights having gone before it', answers: ['there', 403], gone: true },
    {
      title: 'was seen once the API was reached, and may not be seen any more',
      answers: ['no connection', 503, 'there', 403],
      gone: true,
    },
    { title: 'is not found once the API answers again', answers: ['there', 503, 'no connection', 404], gone: true },
    { title: 'is not found after a question without an answer', answers: ['there', 'silence', 404], gone: true },
  ] as const) {
    it(`counts as ${gone ? 'gone' : 'there'} when it ${title}`, async () => {
      const { daemonSet, passing } = bed(...answers);
      await passing(daemonSet.look(never));
      expect(await passing(daemonSet.isGone())).to.equal(gone);
    });
  }

  it('counts as there when it could never be seen', async () => {
    const { daemonSet, clock, passing, asked } = bed(403, 403, 403);
    const stop = new AbortController();
    clock.after(500, () => stop.abort());
    await passing(daemonSet.look(stop.signal));
    expect(asked()).to.equal(2);
    expect(await passing(daemonSet.isGone())).to.equal(false);
  });

  for (const answer of ['silence', 503, 'no connection'] as const) {
    it(`counts as there when the API gives no answer within nine seconds (${answer})`, async () => {
      const { daemonSet, clock, passing } = bed(...Array.from({ length: 20 }, () => answer));
      expect(await passing(daemonSet.isGone())).to.equal(false);
      expect(clock.monotonicMs()).to.be.within(7_000, 12_000);
      expect(clock.pendingTimers).to.equal(0);
    });
  }

  it('is looked for until the agent ends', async () => {
    const { daemonSet, clock, passing, asked } = bed(...Array.from({ length: 20 }, () => 503));
    const stop = new AbortController();
    clock.after(20_000, () => stop.abort());
    await passing(daemonSet.look(stop.signal));
    expect(asked()).to.be.within(5, 9);
    expect(clock.pendingTimers).to.equal(0);
  });
});
