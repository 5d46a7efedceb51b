import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';

describe('FakeClock', () => {
  it('stands still until it is moved', () => {
    const clock = new FakeClock(1000);
    expect([clock.now(), clock.monotonicMs()]).to.deep.equal([1000, 0]);
    clock.advance(250);
    expect([clock.now(), clock.monotonicMs()]).to.deep.equal([1250, 250]);
  });

  it('runs timers in order of time, each at its own moment', () => {
    const clock = new FakeClock(0);
    const ran: (readonly [string, number])[] = [];
    for (const [name, delayMs] of [
      ['late', 20],
      ['early', 10],
      ['same', 10],
      ['never', 31],
    ] as const) {
      clock.after(delayMs, () => ran.push([name, clock.now()]));
    }
    clock.advance(30);
    expect(ran).to.deep.equal([
      ['early', 10],
      ['same', 10],
      ['late', 20],
    ]);
    expect([clock.pendingTimers, clock.nextTimerMs, clock.now()]).to.deep.equal([1, 1, 30]);
  });

  it('runs timers that a timer sets', () => {
    const clock = new FakeClock(0);
    let ticks = 0;
    const tick = (): void => {
      ticks += 1;
      clock.after(10, tick);
    };
    tick();
    clock.advance(35);
    expect(ticks).to.equal(4);
  });

  it('forgets what is cancelled, even within the same moment', () => {
    const clock = new FakeClock(0);
    const ran: string[] = [];
    clock.after(10, () => cancel());
    const cancel = clock.after(10, () => ran.push('cancelled'));
    clock.advance(10);
    expect(ran).to.deep.equal([]);
    expect(clock.nextTimerMs).to.equal(undefined);
  });
});
