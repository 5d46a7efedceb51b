import { expect } from 'chai';
import { describe, it } from 'mocha';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import { Deadline } from '@clearmesh/shared/lifecycle/deadline';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';

describe('Deadline', () => {
  it('aborts its signal when the time has passed, not before', () => {
    const clock = new FakeClock();
    using deadline = new Deadline({ limitMs: 100 }, { clock });
    clock.advance(99);
    expect(deadline.passed).to.equal(false);
    clock.advance(1);
    expect(deadline.passed).to.equal(true);
    expect(deadline.signal.reason).to.have.property('message', 'no answer within 100 ms');
  });

  it('aborts with the reason it is given, which is made when it passes', () => {
    const clock = new FakeClock();
    const made: number[] = [];
    const reason = (): Error => {
      made.push(clock.monotonicMs());
      return new Error('too late');
    };
    using deadline = new Deadline({ limitMs: 100, reason }, { clock });
    expect(made).to.deep.equal([]);
    clock.advance(200);
    expect(made).to.deep.equal([100]);
    expect(deadline.signal.reason).to.have.property('message', 'too late');
  });

  it('never aborts once disposed of, and leaves no timer', () => {
    const clock = new FakeClock();
    const deadline = new Deadline({ limitMs: 100 }, { clock });
    {
      using _scoped = deadline;
      expect(clock.pendingTimers).to.equal(1);
    }
    expect(clock.pendingTimers).to.equal(0);
    clock.advance(1_000);
    expect(deadline.passed).to.equal(false);
  });

  it('leaves no timer for any of a thousand waits that ended in time, however they ended', async () => {
    const clock = new FakeClock();
    const wait = async (end: 'resolves' | 'rejects'): Promise<void> => {
      using _deadline = new Deadline({ limitMs: 100 }, { clock });
      if (end === 'rejects') throw new Error('broken');
    };
    for (let round = 0; round < 500; round++) {
      await wait('resolves');
      await wait('rejects').catch(() => {});
    }
    expect(clock.pendingTimers).to.equal(0);
  });

  describe('within another signal', () => {
    it('aborts with the reason of whichever is first', () => {
      const clock = new FakeClock();
      const caller = new AbortController();
      using late = new Deadline({ limitMs: 100 }, { clock });
      const first = late.within(caller.signal);
      clock.advance(100);
      caller.abort(new Error('the caller left'));
      expect(first.reason).to.have.property('message', 'no answer within 100 ms');

      using early = new Deadline({ limitMs: 100 }, { clock });
      const second = early.within(caller.signal);
      expect(second.reason).to.have.property('message', 'the caller left');
      expect(early.passed).to.equal(false);
    });

    it('follows that signal after disposal too', () => {
      const clock = new FakeClock();
      const caller = new AbortController();
      const deadline = new Deadline({ limitMs: 100 }, { clock });
      const either = deadline.within(caller.signal);
      deadline[Symbol.dispose]();
      clock.advance(1_000);
      expect(either.aborted).to.equal(false);
      caller.abort(new Error('the caller left'));
      expect(either.reason).to.have.property('message', 'the caller left');
    });

    it('ends a wait of the clock', async () => {
      const clock = new FakeClock();
      using deadline = new Deadline({ limitMs: 100 }, { clock });
      const waited = delay(clock, 1_000, deadline.within(new AbortController().signal));
      clock.advance(100);
      expect(await waited.catch((error: unknown) => error)).to.have.property('message', 'no answer within 100 ms');
      expect(clock.pendingTimers).to.equal(0);
    });
  });

  describe('restarted', () => {
    it('counts the whole limit again, with one timer', () => {
      const clock = new FakeClock();
      using deadline = new Deadline({ limitMs: 100 }, { clock });
      for (let round = 0; round < 10; round++) {
        clock.advance(99);
        deadline.restart();
      }
      expect(clock.pendingTimers).to.equal(1);
      expect(deadline.passed).to.equal(false);
      clock.advance(100);
      expect(deadline.passed).to.equal(true);
    });

    it('stays passed, and sets no timer, once it has passed', () => {
      const clock = new FakeClock();
      using deadline = new Deadline({ limitMs: 100 }, { clock });
      clock.advance(100);
      deadline.restart();
      expect(deadline.passed).to.equal(true);
      expect(clock.pendingTimers).to.equal(0);
    });
  });
});
