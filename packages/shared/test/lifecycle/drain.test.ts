import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Drain } from '@clearmesh/shared/lifecycle/drain';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';

function setUp(): { clock: FakeClock; drain: Drain; events: string[] } {
  const clock = new FakeClock(0);
  const drain = new Drain({ clock });
  const events: string[] = [];
  drain.draining.addEventListener('abort', () => events.push(`draining at ${clock.now()}`));
  drain.forced.addEventListener('abort', () => events.push(`forced at ${clock.now()}`));
  return { clock, drain, events };
}

describe('Drain', () => {
  it('D1 aborts draining before forced, each once', () => {
    const { clock, drain, events } = setUp();
    drain.hold('a stream');
    drain.begin(5000);
    clock.advance(10_000);
    drain.force();
    expect(events).to.deep.equal(['draining at 0', 'forced at 5000']);
  });

  it('D1 aborts both, in order, when forced at once', () => {
    const { drain, events } = setUp();
    drain.force();
    expect(events).to.deep.equal(['draining at 0', 'forced at 0']);
  });

  it('D2 stays open while anything is held', async () => {
    const { clock, drain, events } = setUp();
    const releaseFirst = drain.hold('first');
    const releaseSecond = drain.hold('second');
    drain.begin(5000);
    releaseFirst();
    clock.advance(4999);
    releaseSecond();
    expect(await drain.done).to.deep.equal({ forced: false, cut: [] });
    clock.advance(10_000);
    expect(events).to.deep.equal(['draining at 0']);
  });

  it('D2 counts two holds of one description apart, and a release once', async () => {
    const { clock, drain } = setUp();
    const release = drain.hold('same');
    drain.hold('same');
    drain.begin(5000);
    release();
    release();
    clock.advance(5000);
    expect(await drain.done).to.deep.equal({ forced: true, cut: ['same'] });
  });

  it('D2 takes in work that begins while draining', async () => {
    const { clock, drain } = setUp();
    const release = drain.hold('first');
    drain.begin(5000);
    drain.hold('late');
    release();
    clock.advance(5000);
    expect((await drain.done).cut).to.deep.equal(['late']);
  });

  it('D3 is done at once when nothing is held', async () => {
    const { clock, drain } = setUp();
    drain.begin(5000);
    expect(await drain.done).to.deep.equal({ forced: false, cut: [] });
    expect(clock.pendingTimers).to.equal(0);
  });

  it('D3 names what was cut when forced', async () => {
    const { clock, drain } = setUp();
    drain.hold('payments → ledger');
    drain.begin(5000);
    clock.advance(1000);
    drain.force();
    expect(await drain.done).to.deep.equal({ forced: true, cut: ['payments → ledger'] });
    expect(clock.pendingTimers).to.equal(0);
  });

  it('keeps the first deadline when begun twice', () => {
    const { clock, drain, events } = setUp();
    drain.hold('a stream');
    drain.begin(1000);
    drain.begin(60_000);
    clock.advance(1000);
    expect(events).to.deep.equal(['draining at 0', 'forced at 1000']);
  });

  it('is not done by a release before it begins', () => {
    const { drain, events } = setUp();
    drain.hold('short')();
    expect(events).to.deep.equal([]);
    expect(drain.draining.aborted).to.equal(false);
  });

  it('stays done when begun after it was forced', async () => {
    const { clock, drain } = setUp();
    drain.force();
    drain.begin(1000);
    expect(clock.pendingTimers).to.equal(0);
    expect((await drain.done).forced).to.equal(true);
  });
});
