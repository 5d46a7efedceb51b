import { expect } from 'chai';
import { describe, it } from 'mocha';
import { delay, settlesWithin, systemClock } from '@clearmesh/shared/lifecycle/clock';
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';

describe('delay', () => {
  it('resolves when the time has come', async () => {
    const clock = new FakeClock();
    const events: string[] = [];
    const waited = delay(clock, 100, new AbortController().signal).then(() => events.push('waited'));
    clock.advance(99);
    await Promise.resolve();
    events.push('99 ms');
    clock.advance(1);
    await waited;
    expect(events).to.deep.equal(['99 ms', 'waited']);
  });

  it('rejects with the reason of the signal, and leaves no timer', async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const waited = delay(clock, 100, controller.signal);
    controller.abort(new Error('stop'));
    expect(await waited.catch((error: unknown) => error)).to.have.property('message', 'stop');
    expect(clock.pendingTimers).to.equal(0);
  });

  it('rejects at once when the signal has aborted already', async () => {
    const clock = new FakeClock();
    const waited = delay(clock, 100, AbortSignal.abort(new Error('before')));
    expect(await waited.catch((error: unknown) => error)).to.have.property('message', 'before');
    expect(clock.pendingTimers).to.equal(0);
  });
});

describe('settlesWithin', () => {
  it('is true for what settles in time, and leaves no timer', async () => {
    const clock = new FakeClock();
    expect(await settlesWithin(clock, 100, Promise.resolve())).to.equal(true);
    expect(clock.pendingTimers).to.equal(0);
  });

  it('is false once the time has passed', async () => {
    const clock = new FakeClock();
    const settles = settlesWithin(clock, 100, new Promise(() => {}));
    clock.advance(100);
    expect(await settles).to.equal(false);
  });

  it('rejects as what it waits for does, and leaves no timer', async () => {
    const clock = new FakeClock();
    const settles = settlesWithin(clock, 100, Promise.reject(new Error('broken')));
    expect(await settles.catch((error: unknown) => error)).to.have.property('message', 'broken');
    expect(clock.pendingTimers).to.equal(0);
  });
});

describe('systemClock', () => {
  it('runs a task after its delay, and not when it was cancelled', async () => {
    const ran: string[] = [];
    const begun = systemClock.monotonicMs();
    systemClock.after(0, () => ran.push('cancelled'))();
    // Its timers do not keep a process alive, so that the test does.
    const alive = setInterval(() => {}, 1000);
    await new Promise<void>((resolve) => void systemClock.after(1, resolve));
    clearInterval(alive);
    expect(ran).to.deep.equal([]);
    expect(systemClock.monotonicMs()).to.be.at.least(begun);
    expect(systemClock.now()).to.be.closeTo(Date.now(), 1000);
  });
});

describe('unreachable', () => {
  it('names the value that no case took', () => expect(() => unreachable('x' as never)).to.throw('"x"'));
});
