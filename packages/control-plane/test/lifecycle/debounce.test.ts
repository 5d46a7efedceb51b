import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { Debounce } from '../../src/lifecycle/debounce.ts';
import { Wakeup } from '../../src/lifecycle/wakeup.ts';

function counted(): { clock: FakeClock; debounce: Debounce; runs: () => number } {
  const clock = new FakeClock();
  let runs = 0;
  const debounce = new Debounce({ quietMs: 50, maxMs: 300 }, { clock, run: () => void (runs += 1) });
  return { clock, debounce, runs: () => runs };
}

describe('Debounce', () => {
  it('runs once after the quiet time, counted from the last trigger', () => {
    const { clock, debounce, runs } = counted();
    debounce.trigger();
    clock.advance(40);
    debounce.trigger();
    clock.advance(49);
    expect(runs()).to.equal(0);
    clock.advance(1);
    expect(runs()).to.equal(1);
    clock.advance(1000);
    expect(runs()).to.equal(1);
  });

  it('runs at the latest moment however often it is triggered', () => {
    const { clock, debounce, runs } = counted();
    for (let i = 0; i < 30; i++) {
      debounce.trigger();
      clock.advance(10);
    }
    expect(runs()).to.equal(1);
  });

  it('forgets what was triggered when it is disposed of', () => {
    const { clock, debounce, runs } = counted();
    debounce.trigger();
    debounce[Symbol.dispose]();
    clock.advance(1000);
    expect(runs()).to.equal(0);
    expect(clock.pendingTimers).to.equal(0);
  });
});

describe('Wakeup', () => {
  it('keeps rings that nobody heard as one', async () => {
    const bell = new Wakeup();
    bell.ring();
    bell.ring();
    await bell.wait();
    let heard = false;
    const waiting = bell.wait().then(() => {
      heard = true;
    });
    await Promise.resolve();
    expect(heard).to.equal(false);
    bell.ring();
    await waiting;
    expect(heard).to.equal(true);
  });
});
