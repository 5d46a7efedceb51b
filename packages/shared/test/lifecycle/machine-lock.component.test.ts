import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { withMachineLock } from '@clearmesh/shared/lifecycle/machine-lock';
import type { MachineLock } from '@clearmesh/shared/lifecycle/machine-lock';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';

function lockNamed(name: string, over: Partial<MachineLock> = {}): MachineLock {
  return { name, timeoutMs: 100, busy: () => new Error('busy'), signal: new AbortController().signal, ...over };
}

describe('withMachineLock', () => {
  it('lets the next one in when the task has ended, and leaves no timer', async () => {
    const clock = new FakeClock();
    const name = `clearmesh-test-${randomUUID()}`;
    const events: string[] = [];
    const release = Promise.withResolvers<void>();
    const waits = Promise.withResolvers<void>();
    const first = withMachineLock(lockNamed(name), { clock }, async () => {
      events.push('first begins');
      await waits.promise;
      await release.promise;
      events.push('first ends');
    });
    const second = withMachineLock(lockNamed(name, { onWait: () => waits.resolve() }), { clock }, async () => {
      events.push('second begins');
    });
    await waits.promise;
    release.resolve();
    await Promise.all([first, second]);
    expect(events).to.deep.equal(['first begins', 'first ends', 'second begins']);
    expect(clock.pendingTimers).to.equal(0);
  });

  it('rejects as it was told once its patience is over, and leaves no timer', async () => {
    const clock = new FakeClock();
    const name = `clearmesh-test-${randomUUID()}`;
    await withMachineLock(lockNamed(name), { clock }, async () => {
      const waits = Promise.withResolvers<void>();
      const waiter = withMachineLock(lockNamed(name, { onWait: () => waits.resolve() }), { clock }, async () => {});
      await waits.promise;
      clock.advance(100);
      expect(await waiter.catch((error: unknown) => error)).to.have.property('message', 'busy');
    });
    expect(clock.pendingTimers).to.equal(0);
  });

  it('rejects with the reason of the signal, and leaves no timer', async () => {
    const clock = new FakeClock();
    const name = `clearmesh-test-${randomUUID()}`;
    await withMachineLock(lockNamed(name), { clock }, async () => {
      const stop = new AbortController();
      const onWait = (): void => stop.abort(new Error('stopped'));
      const waiter = withMachineLock(lockNamed(name, { onWait, signal: stop.signal }), { clock }, async () => {});
      expect(await waiter.catch((error: unknown) => error)).to.have.property('message', 'stopped');
    });
    expect(clock.pendingTimers).to.equal(0);
  });
});
