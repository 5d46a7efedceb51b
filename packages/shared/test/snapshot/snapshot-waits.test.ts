import { expect } from 'chai';
import { describe, it } from 'mocha';
import { service } from '../../src/testing/builders.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { addressPush, storeOf } from '../../src/testing/pushes.ts';
import type { Snapshot, SnapshotSource } from '../../src/snapshot/snapshot.ts';
import { SnapshotWaits } from '../../src/snapshot/snapshot-waits.ts';

const ledger = service({ name: 'ledger' });
const other = service({ name: 'other' });
const find = (snapshot: Snapshot): string | undefined => snapshot.service(ledger.key)?.name;

/** A store that counts who listens. */
function bed(maxWaiting?: number) {
  const clock = new FakeClock();
  const store = storeOf({}, clock);
  let listening = 0;
  const snapshots: SnapshotSource = {
    get current() {
      return store.current;
    },
    onChange: (listener) => {
      listening++;
      const stop = store.onChange(listener);
      return () => {
        listening--;
        stop();
      };
    },
  };
  const waits = new SnapshotWaits(maxWaiting === undefined ? {} : { maxWaiting }, { snapshots, clock });
  const controller = new AbortController();
  return {
    clock,
    waits,
    controller,
    until: () => waits.until(find, controller.signal),
    learn: (what = ledger) => void store.apply(addressPush({ services: [what] })),
    /** What a wait holds: a listener, a timer, a place. */
    held: () => [listening, clock.pendingTimers, waits.waiting],
  };
}

describe('SnapshotWaits', () => {
  it('does not wait for what is known', async () => {
    const { until, learn, held } = bed();
    learn();
    const found = until();
    expect(held()).to.deep.equal([0, 0, 0]);
    expect(await found).to.equal('ledger');
  });

  it('ends with the change that says it, and holds nothing any more', async () => {
    const { until, learn, held } = bed();
    const found = until();
    learn(other);
    expect(held()).to.deep.equal([1, 1, 1]);
    learn();
    expect(await found).to.equal('ledger');
    expect(held()).to.deep.equal([0, 0, 0]);
  });

  it('ends empty after a second and not before', async () => {
    const { until, clock, held } = bed();
    const found = until();
    clock.advance(999);
    expect(held()).to.deep.equal([1, 1, 1]);
    clock.advance(1);
    expect(await found).to.equal(undefined);
    expect(held()).to.deep.equal([0, 0, 0]);
  });

  it('ends empty when it is aborted', async () => {
    const { until, controller, held } = bed();
    const found = until();
    controller.abort();
    expect(await found).to.equal(undefined);
    expect(held()).to.deep.equal([0, 0, 0]);
  });

  it('does not begin when it is aborted already', async () => {
    const { until, controller, held } = bed();
    controller.abort();
    const found = until();
    expect(held()).to.deep.equal([0, 0, 0]);
    expect(await found).to.equal(undefined);
  });

  it('lets so many wait and no more, and others once there is room', async () => {
    const { until, learn, controller, held } = bed(2);
    const first = [until(), until()];
    expect(await until()).to.equal(undefined);
    expect(held()).to.deep.equal([2, 2, 2]);
    controller.abort();
    expect(await Promise.all(first)).to.deep.equal([undefined, undefined]);
    learn();
    expect(await until()).to.equal('ledger');
  });

  it('holds nothing after a thousand waits, however they ended', async () => {
    const { waits, clock, held, learn } = bed(1_000);
    const controllers = Array.from({ length: 1_000 }, () => new AbortController());
    const found = controllers.map(({ signal }) => waits.until(find, signal));
    expect(held()).to.deep.equal([1_000, 1_000, 1_000]);
    for (const controller of controllers.slice(0, 500)) controller.abort();
    await Promise.all(found.slice(0, 500));
    learn();
    clock.advance(1_000);
    await Promise.all(found);
    expect(held()).to.deep.equal([0, 0, 0]);
  });
});
