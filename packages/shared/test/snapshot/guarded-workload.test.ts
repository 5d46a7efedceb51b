import { expect } from 'chai';
import { describe, it } from 'mocha';
import { authorization, workload } from '../../src/testing/builders.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { addressPush, policyPush, storeOf } from '../../src/testing/pushes.ts';

const pod = { namespace: 'bank', name: 'client', serviceAccount: 'default' };
const forever = new AbortController().signal;
const guarded = workload({ authorizationPolicies: ['bank/first', 'bank/second'] });
const first = authorization({ name: 'first', scope: 'WORKLOAD_SELECTOR' });
const second = authorization({ name: 'second', scope: 'WORKLOAD_SELECTOR' });

describe('awaitGuardedWorkload', () => {
  it('gives a workload without policies, or with all of them known, at once', async () => {
    const bare = storeOf({ workloads: [workload()] });
    const known = storeOf({ workloads: [guarded], policies: [first, second] });
    const found = await Promise.all([bare, known].map((store) => store.awaitGuardedWorkload(pod, forever)));
    expect(found.map((each) => each?.name)).to.deep.equal(['client', 'client']);
  });

  it('waits for the workload, then for each policy it lists', async () => {
    const clock = new FakeClock();
    const store = storeOf({}, clock);
    const waiting = store.awaitGuardedWorkload(pod, forever);
    for (const push of [addressPush({ workloads: [guarded] }), policyPush({ policies: [first] })]) {
      store.apply(push);
      await Promise.resolve();
      expect(store.waiting).to.equal(1);
    }
    store.apply(policyPush({ policies: [second] }));
    expect((await waiting)?.name).to.equal('client');
    expect([store.waiting, clock.pendingTimers]).to.deep.equal([0, 0]);
  });

  it('is content with a workload that comes to list policies that are known', async () => {
    const store = storeOf({ workloads: [guarded], policies: [first] });
    const waiting = store.awaitGuardedWorkload(pod, forever);
    store.apply(addressPush({ workloads: [workload({ authorizationPolicies: ['bank/first'] })] }));
    expect((await waiting)?.authorizationPolicies).to.deep.equal(['bank/first']);
  });

  it('gives the workload as it is after 5 s, so that its refusal can be explained', async () => {
    const clock = new FakeClock();
    const store = storeOf({ workloads: [guarded], policies: [first] }, clock);
    const waiting = store.awaitGuardedWorkload(pod, forever);
    clock.advance(5_000);
    expect((await waiting)?.authorizationPolicies).to.deep.equal(['bank/first', 'bank/second']);
  });

  it('gives nothing after 5 s when the workload is not known', async () => {
    const clock = new FakeClock();
    const waiting = storeOf({}, clock).awaitGuardedWorkload(pod, forever);
    clock.advance(5_000);
    expect(await waiting).to.equal(undefined);
  });
});
