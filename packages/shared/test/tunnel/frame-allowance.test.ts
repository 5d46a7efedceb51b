import { FakeClock } from '../../src/testing/fake-clock.ts';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FrameAllowance } from '../../src/tunnel/frame-allowance.ts';

function take(allowance: FrameAllowance, count: number): number {
  return Array.from({ length: count }, () => allowance.take()).filter(Boolean).length;
}

describe('FrameAllowance', () => {
  it('grants a burst, and then the rate', () => {
    const clock = new FakeClock();
    const allowance = new FrameAllowance({ burst: 5, perSecond: 2 }, { clock });
    expect(take(allowance, 10)).to.equal(5);
    clock.advance(500);
    expect(take(allowance, 10)).to.equal(1);
    clock.advance(1_000);
    expect(take(allowance, 10)).to.equal(2);
  });

  it('saves no more than a burst', () => {
    const clock = new FakeClock();
    const allowance = new FrameAllowance({ burst: 5, perSecond: 2 }, { clock });
    clock.advance(3_600_000);
    expect(take(allowance, 10)).to.equal(5);
  });
});
