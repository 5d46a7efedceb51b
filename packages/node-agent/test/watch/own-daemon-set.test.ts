import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { KubeFailure } from '../../src/watch/kube-api.ts';
import { OwnDaemonSet } from '../../src/watch/own-daemon-set.ts';

type Answer = 'there' | 'deleting' | number | 'silence';

function bed(...answers: readonly Answer[]): { readonly daemonSet: OwnDaemonSet; readonly clock: FakeClock } {
  const left = [...answers];
  const clock = new FakeClock();
  const get = async (path: string, signal: AbortSignal): Promise<unknown> => {
    expect(path).to.equal('/apis/apps/v1/namespaces/system/daemonsets/agent');
    const answer = left.shift() ?? 'silence';
    if (typeof answer === 'number') throw new KubeFailure('no', answer);
    if (answer !== 'silence') return { metadata: answer === 'there' ? {} : { deletionTimestamp: 'now' } };
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  return { clock, daemonSet: new OwnDaemonSet({ namespace: 'system', name: 'agent' }, { api: { get }, clock }) };
}

describe('OwnDaemonSet', () => {
  for (const { title, answers, gone } of [
    { title: 'is there', answers: ['there', 'there'], gone: false },
    { title: 'is being deleted', answers: ['there', 'deleting'], gone: true },
    { title: 'is not found', answers: ['there', 404], gone: true },
    { title: 'may not be seen any more, its rights having gone before it', answers: ['there', 403], gone: true },
    { title: 'could never be seen', answers: [403, 403], gone: false },
    { title: 'is behind an API that fails', answers: ['there', 503], gone: false },
  ] as const) {
    it(`counts as ${gone ? 'gone' : 'there'} when it ${title}`, async () => {
      const { daemonSet } = bed(...answers);
      await daemonSet.look();
      expect(await daemonSet.isGone()).to.equal(gone);
    });
  }

  it('counts as there when the API does not answer within three seconds', async () => {
    const { daemonSet, clock } = bed('silence');
    const asked = daemonSet.isGone();
    clock.advance(3_000);
    expect(await asked).to.equal(false);
    expect(clock.pendingTimers).to.equal(0);
  });
});
