import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { Pods } from '../../src/capture/pods.ts';
import type { PodSpec, PodsChange } from '../../src/capture/pods.ts';
import { FakePod, podSpec } from './fake-namespace.ts';
import type { FakeNamespace } from './fake-namespace.ts';

type Bed = {
  readonly pods: Pods<FakeNamespace, FakePod>;
  readonly clock: FakeClock;
  readonly started: PodSpec<FakeNamespace>[];
  readonly running: FakePod[];
  readonly changes: PodsChange[];
  /** Uids that cannot start. */
  readonly failing: Set<string>;
};

function bed(): Bed {
  const clock = new FakeClock();
  const started: PodSpec<FakeNamespace>[] = [];
  const running: FakePod[] = [];
  const changes: PodsChange[] = [];
  const failing = new Set<string>();
  const start = (spec: PodSpec<FakeNamespace>): FakePod => {
    if (failing.has(spec.uid)) throw new Error('port 15006 is taken');
    started.push(spec);
    const pod = new FakePod([`${spec.uid} stream`]);
    running.push(pod);
    return pod;
  };
  const pods = new Pods<FakeNamespace, FakePod>(
    {},
    { start, clock, logger: silentLogger, onChange: (change) => changes.push(change) },
  );
  return { pods, clock, started, running, changes, failing };
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const statesOf = ({ pods }: Bed): readonly string[] => [...pods.states()].map(({ uid, state }) => `${uid} ${state}`);

describe('Pods', () => {
  it('starts a pod and shows it as Up', () => {
    const all = bed();
    expect(all.pods.add(podSpec('a'))).to.equal(undefined);
    expect(statesOf(all)).to.deep.equal(['a Up']);
    expect(all.changes).to.deep.equal([{ kind: 'started', up: 1, pending: 0 }]);
  });

  it('leaves a pod alone that is added again in the same namespace, and closes the second handle', () => {
    const all = bed();
    all.pods.add(podSpec('a'));
    const again = podSpec('a');
    expect(all.pods.add(again)).to.equal(undefined);
    expect(all.started).to.have.length(1);
    expect(again.namespace.closed).to.equal(true);
    expect(all.started[0]?.namespace.closed).to.equal(false);
  });

  it('replaces a pod at once that comes back in another namespace', () => {
    const all = bed();
    const first = podSpec('a', 1);
    all.pods.add(first);
    all.pods.add(podSpec('a', 2));
    expect(all.running.map(({ state }) => state)).to.deep.equal(['destroyed', 'up']);
    expect(first.namespace.closed).to.equal(true);
  });

  it('takes nothing new for a removed pod, and closes its namespace when what it has open has ended', async () => {
    const all = bed();
    const spec = podSpec('a');
    all.pods.add(spec);
    all.pods.remove('a');
    const [pod] = all.running;
    expect([pod?.state, pod?.graceMs, spec.namespace.closed, statesOf(all)]).to.deep.equal(['draining', 600_000, false, []]);
    expect(all.changes.at(-1)).to.deep.equal({ kind: 'stopped', up: 0, pending: 0 });
    pod?.finish();
    await turn();
    expect([pod?.state, spec.namespace.closed]).to.deep.equal(['destroyed', true]);
  });

  it('serves a pod anew that comes back while it parts, and lets the old connections end', async () => {
    const all = bed();
    const first = podSpec('a');
    all.pods.add(first);
    all.pods.remove('a');
    expect(all.pods.add(podSpec('a'))).to.equal(undefined);
    expect(all.running.map(({ state }) => state)).to.deep.equal(['draining', 'up']);
    all.running[0]?.finish();
    await turn();
    expect([first.namespace.closed, statesOf(all)]).to.deep.equal([true, ['a Up']]);
  });

  it('ends everything at once when disposed of, pods that part among it', () => {
    const all = bed();
    for (const [index, uid] of ['a', 'b'].entries()) all.pods.add(podSpec(uid, index));
    all.pods.remove('a');
    all.pods[Symbol.dispose]();
    expect(all.running.map(({ state }) => state)).to.deep.equal(['destroyed', 'destroyed']);
    expect(all.started.every(({ namespace }) => namespace.closed)).to.equal(true);
  });

  it('keeps a pod that cannot start as Pending with the reason', () => {
    const all = bed();
    all.failing.add('a');
    expect(all.pods.add(podSpec('a'))).to.match(/port 15006 is taken/);
    expect([...all.pods.states()][0]).to.deep.include({ state: 'Pending' });
    expect(all.pods.pendingCount).to.equal(1);
  });

  it('tries a pending pod again every 5 s until it starts', () => {
    const all = bed();
    all.failing.add('a');
    all.pods.add(podSpec('a'));
    all.clock.advance(5_000);
    expect(statesOf(all)).to.deep.equal(['a Pending']);
    all.failing.clear();
    all.clock.advance(4_999);
    expect(statesOf(all)).to.deep.equal(['a Pending']);
    all.clock.advance(1);
    expect(statesOf(all)).to.deep.equal(['a Up']);
    expect([all.pods.pendingCount, all.clock.pendingTimers]).to.deep.equal([0, 0]);
  });

  it('does not let a pod that cannot start stop another one', () => {
    const all = bed();
    all.failing.add('a');
    all.pods.add(podSpec('a'));
    all.pods.add(podSpec('b', 2));
    expect(statesOf(all)).to.deep.equal(['a Pending', 'b Up']);
  });

  it('stops retrying a pending pod that is removed, and closes its namespace', () => {
    const all = bed();
    all.failing.add('a');
    const spec = podSpec('a');
    all.pods.add(spec);
    all.pods.remove('a');
    expect([all.clock.pendingTimers, spec.namespace.closed, all.pods.pendingCount]).to.deep.equal([0, true, 0]);
  });

  it('forgets every pending pod and keeps those that are up', () => {
    const all = bed();
    all.failing.add('a');
    all.pods.add(podSpec('a'));
    all.pods.add(podSpec('b', 2));
    all.pods.forgetPending();
    expect(statesOf(all)).to.deep.equal(['b Up']);
  });

  it('retains only the pods a snapshot mentions', () => {
    const all = bed();
    for (const [index, uid] of ['a', 'b', 'c'].entries()) all.pods.add(podSpec(uid, index));
    all.pods.retain(new Set(['b', 'unknown']));
    expect(statesOf(all)).to.deep.equal(['b Up']);
    expect(all.running.map(({ state }) => state)).to.deep.equal(['draining', 'up', 'draining']);
  });

  it('drains every pod and tells what was cut', async () => {
    const all = bed();
    all.pods.add(podSpec('a'));
    all.pods.add(podSpec('b', 2));
    const drained = all.pods.drain(5_000);
    for (const pod of all.running) pod.finish();
    expect(await drained).to.deep.equal(['a stream', 'b stream']);
    expect([statesOf(all), all.clock.pendingTimers]).to.deep.equal([[], 0]);
  });

  it('gives pods that part no longer than the drain', async () => {
    const all = bed();
    all.pods.add(podSpec('a'));
    all.pods.remove('a');
    const drained = all.pods.drain(5_000);
    all.clock.advance(5_000);
    expect(await drained).to.deep.equal(['a stream']);
  });
});
