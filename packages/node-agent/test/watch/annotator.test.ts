import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Annotator } from '../../src/watch/annotator.ts';
import { KubeFailure } from '../../src/watch/kube-api.ts';
import { nodePod } from '../capture/capture-bed.ts';

const key = 'ambient.istio.io/redirection';
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const marked = (mark: string): ReturnType<typeof nodePod> => nodePod({ annotations: { [key]: mark } });

describe('Annotator', () => {
  let clock: FakeClock;
  let annotator: Annotator;
  let patches: unknown[];
  let answer: (signal: AbortSignal) => Promise<void>;

  beforeEach(() => {
    clock = new FakeClock();
    patches = [];
    answer = async () => {};
    const mergePatch = (path: string, patch: unknown, signal: AbortSignal): Promise<void> => {
      expect(path).to.equal('/api/v1/namespaces/bank/pods/a/status');
      patches.push((patch as { metadata: { annotations: Record<string, unknown> } }).metadata.annotations[key]);
      return answer(signal);
    };
    annotator = new Annotator({ api: { mergePatch }, clock, random: new FakeRandom(), logger: silentLogger });
  });
  afterEach(async () => {
    await annotator[Symbol.asyncDispose]();
    expect(clock.pendingTimers).to.equal(0);
  });

  it('writes what is wanted once, and takes it away again', async () => {
    annotator.want(nodePod(), 'enabled');
    await turn();
    annotator.want(nodePod(), 'enabled');
    annotator.recvPod(marked('enabled'));
    annotator.want(marked('enabled'), 'enabled');
    await turn();
    annotator.want(marked('enabled'), undefined);
    await turn();
    expect(patches).to.deep.equal(['enabled', null]);
  });

  it('writes nothing that the pod shows already', async () => {
    annotator.want(marked('pending'), 'pending');
    annotator.want(nodePod(), undefined);
    await turn();
    expect(patches).to.deep.equal([]);
  });

  it('takes away what the pod shows by now, and an older copy of it does not', async () => {
    annotator.want(nodePod(), 'pending');
    await turn();
    annotator.recvPod(marked('pending'));
    annotator.want(nodePod(), undefined);
    await turn();
    expect(patches).to.deep.equal(['pending', null]);
  });

  it('writes the latest of what was wanted while a write was under way', async () => {
    const gate = Promise.withResolvers<void>();
    answer = () => gate.promise;
    annotator.want(nodePod(), 'pending');
    annotator.want(nodePod(), undefined);
    annotator.want(nodePod(), 'enabled');
    gate.resolve();
    for (let turns = 0; turns < 5; turns++) await turn();
    expect(patches).to.deep.equal(['pending', 'enabled']);
  });

  it('tries again until it is written, with pauses of five seconds at most', async () => {
    answer = () => Promise.reject(new KubeFailure('unavailable', 503));
    annotator.want(nodePod(), 'enabled');
    await turn();
    expect(clock.nextTimerMs).to.equal(100);
    for (let tries = 0; tries < 10; tries++) {
      clock.advance(clock.nextTimerMs ?? 0);
      await turn();
    }
    expect(clock.nextTimerMs).to.equal(5_000);
    answer = async () => {};
    clock.advance(5_000);
    await turn();
    expect([patches.length, clock.pendingTimers]).to.deep.equal([12, 0]);
  });

  it('gives up an answer that does not come within ten seconds, and asks again', async () => {
    answer = (signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    annotator.want(nodePod(), 'enabled');
    await turn();
    answer = async () => {};
    clock.advance(10_000);
    await turn();
    clock.advance(100);
    await turn();
    expect(patches).to.deep.equal(['enabled', 'enabled']);
  });

  for (const status of [404, 409]) {
    it(`leaves it at that when the pod is not there any more (${status})`, async () => {
      answer = () => Promise.reject(new KubeFailure('gone', status));
      annotator.want(nodePod(), 'enabled');
      await turn();
      expect([patches.length, clock.pendingTimers]).to.deep.equal([1, 0]);
    });
  }
});
