import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { mock } from 'node:test';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { BreakerRotation } from '../../src/forward/breaker-rotation.ts';
import type { BreakerOptions, BreakerTicket, BreakerVerdict } from '../../src/forward/breaker.ts';
import { OpossumBreaker } from '../../src/forward/opossum-breaker.ts';
import { settled } from './fake-upstream.ts';

const options: BreakerOptions = {
  name: 'ledger',
  errorThresholdPercent: 50,
  volumeThreshold: 20,
  windowMs: 10_000,
  openMs: 1_000,
  maxOpenMs: 60_000,
  probeMs: 5_000,
};

describe('OpossumBreaker (B7)', () => {
  let clock: FakeClock;
  let rotation: BreakerRotation;
  let breaker: OpossumBreaker;

  // opossum sets its timer itself: the machine's timers move with the fake clock.
  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    clock = new FakeClock();
    rotation = new BreakerRotation({}, { clock });
    breaker = new OpossumBreaker(options, { clock, random: new FakeRandom([0]), rotation });
  });

  afterEach(() => {
    breaker[Symbol.dispose]();
    mock.timers.reset();
  });

  function advance(ms: number): void {
    clock.advance(ms);
    mock.timers.tick(ms);
  }

  function admitted(): BreakerTicket {
    const ticket = breaker.admit();
    if (ticket === undefined) throw new Error(`not admitted: ${breaker.status.state}`);
    return ticket;
  }

  async function recv(verdict: BreakerVerdict, times = 1): Promise<void> {
    for (let time = 0; time < times; time++) breaker.report(admitted(), verdict);
    await settled();
  }

  async function opened(): Promise<void> {
    for (let time = 0; time < 20; time++) breaker.report(admitted(), 'failure');
    await settled();
    expect(breaker.status.state).to.equal('open');
  }

  it('opens above the share of failures, once there are enough attempts', async () => {
    await recv('failure', 19);
    expect(breaker.status).to.include({ state: 'closed', failures: 19, attempts: 19 });
    await recv('failure');
    expect(breaker.status).to.include({ state: 'open', sinceMs: clock.now() });
    expect(breaker.admit()).to.equal(undefined);
  });

  it('stays closed at the share itself', async () => {
    await recv('success', 20);
    await recv('failure', 20);
    expect(breaker.status.state).to.equal('closed');
  });

  it('forgets what is older than its window', async () => {
    await recv('failure', 19);
    for (let second = 0; second < 10; second++) advance(1_000);
    await recv('failure', 19);
    expect(breaker.status).to.include({ state: 'closed', attempts: 19 });
  });

  it('lets exactly one probe through when half open, and closes with its success', async () => {
    await opened();
    advance(1_000);
    expect(breaker.status.state).to.equal('half-open');
    const probe = admitted();
    expect(breaker.admit()).to.equal(undefined);
    breaker.report(probe, 'success');
    await settled();
    expect(breaker.status).to.include({ state: 'closed', attempts: 0, failures: 0 });
  });

  it('does not open again by failures from before its recovery', async () => {
    await opened();
    advance(1_000);
    await recv('success');
    await recv('failure', 19);
    expect(breaker.status.state).to.equal('closed');
  });

  it('stays open twice as long after each failed probe, up to the longest', async () => {
    await opened();
    const waits: number[] = [];
    for (let probe = 0; probe < 8; probe++) {
      let waited = 0;
      for (; breaker.status.state === 'open'; waited += 500) advance(500);
      waits.push(waited);
      await recv('failure');
    }
    expect(waits).to.deep.equal([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  });

  it('starts from the first open time after a recovery', async () => {
    await opened();
    advance(1_000);
    await recv('failure');
    advance(2_000);
    await recv('success');
    await opened();
    advance(1_000);
    expect(breaker.status.state).to.equal('half-open');
  });

  it('is open for up to half longer, by chance', async () => {
    using other = new OpossumBreaker(options, { clock, random: new FakeRandom([0.99]), rotation });
    for (let time = 0; time < 20; time++) other.report(other.admit()!, 'failure');
    await settled();
    advance(1_400);
    expect(other.status.state).to.equal('open');
    advance(100);
    expect(other.status.state).to.equal('half-open');
  });

  describe('the traps of opossum', () => {
    it('1: a neutral result does not close it, and gives the next probe its turn', async () => {
      await opened();
      advance(1_000);
      await recv('neutral');
      expect(breaker.status.state).to.equal('half-open');
      await recv('success');
      expect(breaker.status.state).to.equal('closed');
    });

    it('1: a throttled probe keeps it shut', async () => {
      await opened();
      advance(1_000);
      await recv('throttled');
      expect(breaker.status.state).to.equal('open');
    });

    it('2: neutral and throttled results never open it', async () => {
      await recv('neutral', 100);
      await recv('throttled', 100);
      expect(breaker.status).to.include({ state: 'closed', attempts: 0 });
    });

    it('4: a probe that hangs loses its turn, and its late result counts no more', async () => {
      await opened();
      advance(1_000);
      const hanging = admitted();
      advance(4_999);
      expect(breaker.admit()).to.equal(undefined);
      expect(breaker.status.state).to.equal('half-open');
      advance(1);
      expect(breaker.admit()).to.equal(undefined);
      expect(breaker.status.state).to.equal('open');
      breaker.report(hanging, 'success');
      await settled();
      expect(breaker.status.state).to.equal('open');
      advance(2_000);
      expect(breaker.status.state).to.equal('half-open');
    });

    it('5: results of attempts from before it opened neither close nor open it', async () => {
      const stale = admitted();
      await opened();
      advance(1_000);
      breaker.report(stale, 'success');
      await settled();
      expect(breaker.status.state).to.equal('half-open');
      const probe = admitted();
      breaker.report(stale, 'failure');
      await settled();
      expect(breaker.status.state).to.equal('half-open');
      breaker.report(probe, 'success');
      await settled();
      expect(breaker.status.state).to.equal('closed');
    });

    it('6: keeps nothing for each request, and sets one timer for all', async () => {
      const others = Array.from({ length: 20 }, () => new OpossumBreaker(options, { clock, random: new FakeRandom(), rotation }));
      expect(clock.pendingTimers).to.equal(1);
      for (const other of others) other[Symbol.dispose]();
      await recv('success', 5_000);
      advance(1_000);
      expect(breaker.keptLatencies).to.equal(0);
    });

    it('6: leaves no timer behind', async () => {
      await opened();
      breaker[Symbol.dispose]();
      expect(clock.pendingTimers).to.equal(0);
      expect(breaker.admit()).to.not.equal(undefined);
      breaker.report(breaker.admit()!, 'failure');
    });

    it('7: what it refuses does not count', async () => {
      await opened();
      for (let time = 0; time < 1_000; time++) breaker.admit();
      expect(breaker.status.attempts).to.equal(20);
    });
  });
});
