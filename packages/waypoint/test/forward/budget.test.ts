import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { RetryBudget } from '../../src/forward/budget.ts';

const policy = { percent: 20, intervalMs: 10_000, minPerSecond: 0 };

describe('RetryBudget (Gateway API, B4)', () => {
  it('allows a share of the requests of the interval', () => {
    const budget = new RetryBudget();
    for (let request = 0; request < 10; request++) budget.recvRequest(policy, 500);
    budget.spend(policy, 500);
    expect(budget.allows(policy, 500)).to.equal(true);
    budget.spend(policy, 500);
    expect(budget.allows(policy, 500)).to.equal(false);
  });

  it('forgets requests that are older than the interval', () => {
    const budget = new RetryBudget();
    for (let request = 0; request < 10; request++) budget.recvRequest(policy, 0);
    expect(budget.allows(policy, 9_999)).to.equal(true);
    expect(budget.allows(policy, 10_000)).to.equal(false);
  });

  it('allows a few each second in any case', () => {
    const budget = new RetryBudget();
    const few = { ...policy, minPerSecond: 2 };
    for (const nowMs of [0, 400]) {
      expect(budget.allows(few, nowMs)).to.equal(true);
      budget.spend(few, nowMs);
    }
    expect(budget.allows(few, 999)).to.equal(false);
    expect(budget.allows(few, 1_000)).to.equal(true);
  });

  it('starts anew with another interval', () => {
    const budget = new RetryBudget();
    for (let request = 0; request < 10; request++) budget.recvRequest(policy, 0);
    expect(budget.allows({ ...policy, intervalMs: 5_000 }, 1)).to.equal(false);
  });

  it('never exceeds the share of its window and the minimum of its seconds together', () => {
    const steps = fc.array(fc.record({ afterMs: fc.nat(2_000), requests: fc.nat(20), retries: fc.nat(20) }), { maxLength: 200 });
    fc.assert(
      fc.property(fc.nat(100), fc.nat(10), steps, (percent, minPerSecond, list) => {
        const rules = { percent, intervalMs: 10_000, minPerSecond };
        const budget = new RetryBudget();
        const requests: number[] = [];
        const retries: number[] = [];
        let nowMs = 0;
        for (const step of list) {
          nowMs += step.afterMs;
          for (let request = 0; request < step.requests; request++) {
            budget.recvRequest(rules, nowMs);
            requests.push(nowMs);
          }
          for (let retry = 0; retry < step.retries && budget.allows(rules, nowMs); retry++) {
            budget.spend(rules, nowMs);
            retries.push(nowMs);
            const inSecond = retries.filter((time) => Math.floor(time / 1_000) === Math.floor(nowMs / 1_000)).length;
            const share = countInSlots(retries, nowMs) * 100 <= percent * countInSlots(requests, nowMs);
            expect(share || inSecond <= minPerSecond).to.equal(true);
          }
        }
      }),
    );
  });
});

/** The window in whole slots, as a naive count. */
function countInSlots(times: readonly number[], nowMs: number): number {
  const slot = Math.floor(nowMs / 1_000);
  return times.filter((time) => Math.floor(time / 1_000) > slot - 10).length;
}
