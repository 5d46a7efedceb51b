import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { IdleWatch } from '../../src/forward/idle-watch.ts';

describe('IdleWatch', () => {
  function watch(): {
    clock: FakeClock;
    idle: IdleWatch;
    told: string[];
    add: (name: string, idleMs: number) => ReturnType<IdleWatch['add']>;
  } {
    const clock = new FakeClock();
    const idle = new IdleWatch({ everyMs: 100 }, { clock });
    const told: string[] = [];
    return { clock, idle, told, add: (name, idleMs) => idle.add(idleMs, clock.monotonicMs(), () => told.push(name)) };
  }

  it('tells those in which nothing moved, once, and forgets them', () => {
    const { clock, idle, told, add } = watch();
    add('short', 150);
    const busy = add('busy', 150);
    add('long', 500);
    for (let step = 0; step < 3; step++) {
      busy.movement += 1;
      clock.advance(100);
    }
    expect([told, idle.size]).to.deep.equal([['short'], 2]);
    clock.advance(1_000);
    expect([told, idle.size]).to.deep.equal([['short', 'busy', 'long'], 0]);
  });

  it('leaves out whoever was deleted, in whatever order, and does not mind a second time', () => {
    const { clock, idle, told, add } = watch();
    const [first, middle, last] = ['first', 'middle', 'last'].map((name) => add(name, 100));
    for (const one of [middle, first, middle, last]) if (one !== undefined) idle.delete(one);
    add('stays', 100);
    clock.advance(1_000);
    expect([told, idle.size]).to.deep.equal([['stays'], 0]);
  });

  it('does not tell one that another one ended', () => {
    const clock = new FakeClock();
    const idle = new IdleWatch({ everyMs: 100 }, { clock });
    const told: string[] = [];
    idle.add(100, 0, () => {
      told.push('one');
      idle.delete(other);
    });
    const other = idle.add(100, 0, () => told.push('other'));
    clock.advance(1_000);
    expect(told).to.deep.equal(['one']);
  });

  it('has no timer once nobody is watched', () => {
    const { clock, idle, add } = watch();
    idle.delete(add('gone', 100));
    clock.advance(100);
    expect(clock.pendingTimers).to.equal(0);
  });
});
